"""What draws figures, over a megabyte of script, gradio loads when the first figure is looked at: a second's wait at
that tab. Here the browser is told to load it as soon as the visitor pauses."""

from pathlib import Path

import gradio

ASSETS = Path(gradio.__file__).parent / "templates" / "frontend" / "assets"
FIGURES = "PlotlyPlot-*.js"
PAUSE = 2000  # milliseconds without a click, a key or a running generation


def ahead() -> str:
    """A script for the page's head; nothing where this gradio has no such file, whose figures then load as before."""
    found = sorted(path.name for path in ASSETS.glob(FIGURES))
    if not found:
        return ""
    return f"""<script type="module">
let last = Infinity;
const touched = () => {{ last = performance.now(); }};
['pointerdown', 'keydown'].forEach((kind) => addEventListener(kind, touched, {{passive: true}}));
const timer = setInterval(() => {{
  if (last === Infinity && 'arrived' in document.documentElement.dataset) touched();
  if (document.querySelector('#stage progress')) touched();
  if (performance.now() - last < {PAUSE}) return;
  clearInterval(timer);
  import(new URL('assets/{found[0]}', document.baseURI));
}}, 250);
</script>"""
