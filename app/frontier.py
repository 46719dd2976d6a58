"""What each way to fewer misread images costs in variety, as `frontier.json` beside tuned weights has it. No gradio."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import plotly.graph_objects as go

from app.figures import BLUE, ORANGE, layout
from app.figures import REAL as GREY
from app.words import REAL_IMAGES, show, show_interval
from diffusion_core.errors import UserError
from eval.metrics import Estimate

FRONTIER = "frontier.json"
REAL, GUIDED, TUNED, CLIP = "real test digits", "guidance", "tuned", "CLIP guidance"  # in the file
# way -> colour, what its numbers are in words
WAYS = {
    GUIDED: (BLUE, "parent, guidance {:g}"),
    CLIP: ("#aa4499", "parent, CLIP guidance {:g}"),
    TUNED: (ORANGE, "tuned, guidance {:g}"),
}
AXES = {"coverage": "coverage (%)", "recall": "recall (%)"}


class Point(NamedTuple):
    """One setting: its way, its number, and its scores."""

    way: str
    setting: float
    scores: Mapping[str, Estimate]


def read(folder: Path) -> tuple[Point, ...]:
    """Every setting in `folder`, none where it lists none; `UserError` where the list is damaged."""
    if not (folder / FRONTIER).exists():
        return ()
    try:
        rows = json.loads((folder / FRONTIER).read_text(encoding="utf-8"))
        return tuple(
            Point(row["way"], float(row["setting"]), {m: Estimate(**row[m]) for m in ("accuracy", *AXES)})
            for row in rows
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{FRONTIER} of {folder.name} is damaged ({type(error).__name__}). Measure it again.") from None


def figure(points: Sequence[Point], metric: str) -> go.Figure:
    """Accuracy upright against `metric`, a line for each way in the order of its settings, with 95 % intervals."""
    shown = go.Figure(layout=layout("classifier accuracy (%)", AXES[metric]))
    for way, (colour, words) in WAYS.items():
        line = sorted((p for p in points if p.way == way), key=lambda p: p.setting)
        if way == CLIP:  # it begins where nothing leads
            line = [p for p in points if p.way == GUIDED and p.setting == 1] + line
        if line:
            shown.add_trace(_trace(line, metric, way, colour, words))
    real = [p for p in points if p.way == REAL]
    if real:
        shown.add_trace(_trace(real, metric, REAL_IMAGES, GREY, REAL_IMAGES, symbol="diamond"))
    return shown.update_layout(height=320)


def _trace(
    line: Sequence[Point], metric: str, name: str, colour: str, words: str, symbol: str = "circle"
) -> go.Scatter:  # fmt: skip
    x, y = ([p.scores[m] for p in line] for m in (metric, "accuracy"))
    hover = [
        f"{words.format(p.setting)}<br>accuracy {show(b.value)} ({show_interval(b)})<br>{metric} {show(a.value)} "
        f"({show_interval(a)})<br>n = {b.n:,}"
        for p, a, b in zip(line, x, y, strict=True)
    ]
    return go.Scatter(
        x=[100 * e.value for e in x], y=[100 * e.value for e in y], error_x=_bars(x), error_y=_bars(y), name=name,
        mode="lines+markers", line={"color": colour, "width": 2}, marker={"size": 8, "symbol": symbol},
        hovertext=hover, hovertemplate="%{hovertext}<extra></extra>",
    )  # fmt: skip


def _bars(found: Sequence[Estimate]) -> dict:
    """Error bars from values to the ends of their intervals, in per cent."""
    up, down = ([100 * abs(end - e.value) for e, end in zip(found, ends)] for ends in _ends(found))
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "thickness": 1, "width": 3}


def _ends(found: Sequence[Estimate]) -> tuple[list[float], list[float]]:
    highs = [e.value if e.high is None else e.high for e in found]
    return highs, [e.value if e.low is None else e.low for e in found]
