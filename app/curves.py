"""Training curves as plotly figures. No gradio."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from app.figures import layout
from app.runs import QUARTERS, Run, smoothed

DEPTHS = ("#9cc3ee", "#5f93d6", "#2f66b3", "#173f7d")  # from the least noise to the most
LOGGED = {
    "loss": "Loss",
    "quarters": "Loss by noise level",
    "grad_norm": "Gradient norm",
    "lr": "Learning rate",
    "reward": "Reward (of a tuning)",
}
# Of the looks that judges had at the same images: metric -> how it is called beside others, and its scale.
LOOKED = {
    "accuracy": ("Images read right (%)", {"accuracy": "classifier", "second_accuracy": "second classifier"}, 100),
    "clip": ("CLIP score (%)", {"clip_probability": "all images"}, 100),
    "heldout": ("CLIP margin", {"clip_margin": "captions", "heldout_margin": "captions held out"}, 1),
    "fd": ("Frechet distance", {"fd": "classifier", "second_fd": "second classifier"}, 1),
    "recall": ("Recall (%)", {"recall": "classifier", "second_recall": "second classifier"}, 100),
}
SHOWN = LOGGED | {key: f"{title} while training" for key, (title, *_) in LOOKED.items()}
DASHES = ("solid", "dot", "dash", "dashdot")
POINTS = 600  # a line; more than a screen can show


def training(
    runs: Sequence[Run], colour: dict[str, str], shown: str, smoothing: float, log_x: bool, names: Sequence[str] = ()
) -> go.Figure:
    """One line a run, or four where the loss is split by noise level; the raw values faint behind a smoothed one.

    Of what judges saw on the way as many lines a run as metrics are shown; of CLIP's score, one for each class too.
    `names`: of the classes, where they are known.
    """
    if shown in LOOKED:
        return looked(runs, colour, shown, log_x, names)
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


def has(run: Run, shown: str) -> bool:
    """Whether a run has anything of a curve to show."""
    if shown in LOOKED:
        return bool(run.looks)
    return shown != "reward" or bool(np.isfinite(run.columns["reward"]).any())


def looked(runs: Sequence[Run], colour: dict[str, str], shown: str, log_x: bool, names: Sequence[str]) -> go.Figure:
    """A point a look, joined."""
    title, metrics, scale = LOOKED[shown]
    figure = go.Figure(layout=layout(title, "images seen"))
    for run in runs:
        x = [max(look["images"], 1) if log_x else look["images"] for look in run.looks]
        if shown == "clip" and len(runs) == 1:
            for label in run.looks[0]["per_class"] if run.looks else ():
                y = [scale * look["per_class"][label]["clip_probability"] for look in run.looks]
                name = names[int(label)] if names else f"class {label}"
                figure.add_trace(_dots(x, y, name, colour[run.name], "solid", 0.3))
        for (metric, name), dash in zip(metrics.items(), DASHES, strict=False):
            y = [None if look.get(metric) is None else scale * look[metric] for look in run.looks]
            figure.add_trace(_dots(x, y, name if len(runs) == 1 else f"{run.name}, {name}", colour[run.name], dash))
    return figure.update_layout(xaxis={"type": "log" if log_x else "linear"})


def _dots(x: list, y: list, name: str, colour: str, dash: str, opacity: float = 1.0) -> go.Scatter:
    return go.Scatter(
        x=x, y=y, name=name, mode="lines+markers", opacity=opacity, line={"color": colour, "width": 2, "dash": dash},
        marker={"size": 5}, hovertemplate=f"%{{x:,}} images: %{{y:.4g}}<extra>{name}</extra>",
        showlegend=opacity == 1,
    )  # fmt: skip


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
