"""Training curves as plotly figures. No gradio."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from app.figures import layout
from app.runs import QUARTERS, Run, smoothed

DEPTHS = ("#9cc3ee", "#5f93d6", "#2f66b3", "#173f7d")  # from the least noise to the most
SHOWN = {"loss": "Loss", "quarters": "Loss by noise level", "grad_norm": "Gradient norm", "lr": "Learning rate"}
DASHES = ("solid", "dot", "dash", "dashdot")
POINTS = 600  # a line; more than a screen can show


def training(runs: Sequence[Run], colour: dict[str, str], shown: str, smoothing: float, log_x: bool) -> go.Figure:
    """One line a run, or four where the loss is split by noise level; the raw values faint behind a smoothed one."""
    figure = go.Figure(layout=layout(SHOWN[shown], "images seen"))
    for run, dash in zip(runs, (DASHES * len(runs))[: len(runs)], strict=True):
        if shown != "quarters":
            for trace in _line(run, shown, run.name, colour[run.name], smoothing):
                figure.add_trace(trace)
            continue
        for depth, (key, title) in zip(DEPTHS, QUARTERS.items(), strict=True):
            name = title if len(runs) == 1 else f"{run.name}, {title}"
            figure.add_trace(_line(run, key, name, depth, smoothing)[-1].update(line={"dash": dash}))
    kind = "log" if log_x else "linear"
    return figure.update_layout(xaxis={"type": kind}, yaxis={"type": "log" if shown != "lr" else "linear"})


def _line(run: Run, key: str, name: str, colour: str, smoothing: float) -> list[go.Scatter]:
    """The raw line where it differs, then the smoothed one."""
    x, raw = run.columns["images"], run.columns[key]
    some = np.unique(np.linspace(0, len(x) - 1, min(len(x), POINTS)).round().astype(int))
    common = {"x": x[some], "mode": "lines", "name": name, "legendgroup": name}
    hover = f"%{{x:,}} images: %{{y:.4g}}<extra>{name}</extra>"
    shown = smoothed(raw, smoothing)
    line = go.Scatter(y=shown[some], line={"color": colour, "width": 2}, hovertemplate=hover, **common)
    if not smoothing:
        return [line]
    faint = {"color": colour, "width": 1}
    return [go.Scatter(y=raw[some], line=faint, opacity=0.25, showlegend=False, hoverinfo="skip", **common), line]
