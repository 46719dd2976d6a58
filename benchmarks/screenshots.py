"""Pictures of every tab, light and dark, for the documents: docs/tabs/NAME-light.png and -dark.png.

python -m benchmarks.screenshots            all tabs
python -m benchmarks.screenshots denoise    some of them
"""

import sys

from benchmarks.page import LIMIT, READY, browser, served
from diffusion_core.data import ROOT

FOLDER = ROOT / "docs" / "tabs"
SIZE = {"width": 1280, "height": 900}
SETTLE = 800  # milliseconds for figures to be drawn
# What the address of a tab says.
VIEWS = {
    "generate": "",
    "denoise": "digits=5,6&seed=0",
    "play": "",
    "inspect": "a=mnist-early",
    "scores": "metric=clip_probability",
    "confusion": "a=mnist-early",
    "lookalikes": "a=mnist",
    "compare": "a=mnist-early&b=mnist",
    "training": "runs=mnist,mnist-turbo",
    "tuning": "",
    "studies": "study=skip",
    "restore": "",
    "export": "",
    "judges": "",
    "reports": "",
}


def main() -> None:
    """Take them."""
    FOLDER.mkdir(exist_ok=True)
    with served() as address, browser() as chromium:
        for name in sys.argv[1:] or VIEWS:
            for theme in ("light", "dark"):
                page = chromium.new_page(viewport=SIZE)
                page.set_default_timeout(LIMIT)
                page.goto(f"{address}?__theme={theme}&tab={name}&{VIEWS[name]}")
                page.wait_for_selector(READY[name])
                page.wait_for_timeout(SETTLE)
                page.screenshot(path=FOLDER / f"{name}-{theme}.png")
                page.close()
                print(FOLDER / f"{name}-{theme}.png", flush=True)


if __name__ == "__main__":
    main()
