"""Pictures of every tab, light and dark, for the documents: docs/tabs/NAME-light.png and -dark.png.

python -m benchmarks.screenshots            all tabs
python -m benchmarks.screenshots denoise    some of them
"""

import sys

from benchmarks.page import LIMIT, browser, served
from diffusion_core.data import ROOT

FOLDER = ROOT / "docs" / "tabs"
SIZE = {"width": 1280, "height": 900}
SETTLE = 800  # milliseconds for figures to be drawn
# A tab: what its address says, and what it shows when it is ready.
VIEWS = {
    "generate": ("", ".tabitem:visible .card"),
    "denoise": ("digits=5,6&seed=0", ".walk-row"),
    "inspect": ("a=mnist-early", ".tabitem:visible .sample"),
    "scores": ("metric=clip_probability", ".js-plotly-plot:visible .point"),
    "confusion": ("a=mnist-early", ".tabitem:visible .cell"),
    "lookalikes": ("a=mnist", ".tabitem:visible .sample"),
    "compare": ("a=mnist-early&b=mnist", ".tabitem:visible .pair"),
    "training": ("runs=mnist,mnist-turbo", ".tabitem:visible .grid-film"),
    "judges": ("", ".tabitem:visible .cell:visible"),
    "reports": ("", ".tabitem:visible .report"),
}


def main() -> None:
    """Take them."""
    FOLDER.mkdir(exist_ok=True)
    with served() as address, browser() as chromium:
        for name in sys.argv[1:] or VIEWS:
            query, ready = VIEWS[name]
            for theme in ("light", "dark"):
                page = chromium.new_page(viewport=SIZE)
                page.set_default_timeout(LIMIT)
                page.goto(f"{address}?__theme={theme}&tab={name}&{query}")
                page.wait_for_selector(ready)
                page.wait_for_timeout(SETTLE)
                page.screenshot(path=FOLDER / f"{name}-{theme}.png")
                page.close()
                print(FOLDER / f"{name}-{theme}.png", flush=True)


if __name__ == "__main__":
    main()
