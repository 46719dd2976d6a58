"""Accuracy against diversity as a plotly figure: one point a report, real images, and the settings tried. No gradio."""

from collections import Counter
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from app.colours import REAL_COLOUR
from app.figures import layout
from app.several import Shown, real_images
from app.sweep import Setting, Sweep
from app.words import REAL_IMAGES, show, show_interval
from eval.metrics import Estimate


def tradeoff(shown: Sequence[Shown], sweeps: Sequence[tuple[str, str, Sweep]]) -> go.Figure:
    """Recall along, accuracy upright, in percent, with 95 % intervals; a report without either value is left out.

    `sweeps`: (checkpoint, its colour, what was tried).
    """
    figure = go.Figure(layout=layout("classifier accuracy (%)", "recall (%)"))
    for name, colour, sweep in sweeps:
        for tried in _lines(sweep):
            figure.add_trace(_settings(tried, name, colour))
        figure.add_trace(_real_settings(sweep.real))
    points = [(name, one.colour, _point(one.report.metrics["overall"])) for name, one in zip(_labels(shown), shown)]
    if real := real_images(shown):
        points.append((REAL_IMAGES, REAL_COLOUR, _point(real.metrics["overall"])))
    placed = sorted((point for point in points if point[2]), key=lambda point: point[2][0].value)
    for (name, colour, pair), corner in zip(placed, _corners(len(placed))):
        figure.add_trace(_mark(name, colour, *pair, corner))
    return figure.update_layout(showlegend=False, height=420, margin={"t": 20, "r": 24})


def _labels(shown: Sequence[Shown]) -> list[str]:
    """Names, with how the images were made where the names alone do not tell them apart."""
    count = Counter(one.name for one in shown)
    return [one.name if count[one.name] == 1 else f"{one.name}, {one.made}" for one in shown]


def _point(metrics: Mapping[str, Estimate]) -> tuple[Estimate, Estimate] | None:
    """(recall, accuracy) of one set of images."""
    recall, accuracy = metrics.get("recall"), metrics.get("accuracy")
    return (recall, accuracy) if recall and accuracy and None not in (recall.value, accuracy.value) else None


def _corners(count: int) -> list[str]:
    """Where the labels of `count` points stand, the leftmost first: to the left, save for the first one, and
    by turns above and below, so that none lies on its neighbour's.
    """
    return [f"{('bottom', 'top')[(count - i) % 2]} {'left' if i else 'right'}" for i in range(count)]


def _mark(name: str, colour: str, recall: Estimate, accuracy: Estimate, corner: str) -> go.Scatter:
    said = "<br>".join(
        f"{title} {show(e.value)}, 95 % interval {show_interval(e)}, n = {e.n:,}"
        for title, e in (("accuracy", accuracy), ("recall", recall))
    )
    return go.Scatter(
        name=name,
        x=[100 * recall.value],
        y=[100 * accuracy.value],
        error_x=_bar(recall, colour),
        error_y=_bar(accuracy, colour),
        mode="markers+text",
        marker={"color": colour, "size": 12, "symbol": "diamond" if name == REAL_IMAGES else "circle"},
        text=[name],
        textposition=corner,
        cliponaxis=False,
        hovertemplate=f"{said}<extra>{name}</extra>",
    )


def _bar(e: Estimate, colour: str) -> dict:
    bar = {"type": "data", "symmetric": False, "color": colour, "thickness": 1.5, "width": 4}
    if e.low is None:
        return bar | {"visible": False}
    return bar | {"array": [100 * (e.high - e.value)], "arrayminus": [100 * (e.value - e.low)]}


def _lines(sweep: Sweep) -> list[list[Setting]]:
    """The settings in the order of the file, a list for each sampler and number of steps."""
    found: dict[str, list[Setting]] = {}
    for one in sweep.tried:
        found.setdefault(one.title.split(",")[0], []).append(one)
    return list(found.values())


def _settings(tried: Sequence[Setting], name: str, colour: str) -> go.Scatter:
    """A faint line through settings."""
    return go.Scatter(
        name=f"settings of {name}",
        x=[100 * one.recall for one in tried],
        y=[100 * one.accuracy for one in tried],
        mode="lines+markers",
        line={"color": colour, "width": 1.5},
        marker={"color": colour, "size": 6},
        opacity=0.45,
        hovertext=[_said(one) for one in tried],
        hovertemplate=f"%{{hovertext}}<extra>{name}</extra>",
    )


def _real_settings(real: Setting) -> go.Scatter:
    """Real images of the sweep's own number: recall depends on it."""
    return go.Scatter(
        name=f"{REAL_IMAGES} of the settings",
        x=[100 * real.recall],
        y=[100 * real.accuracy],
        mode="markers",
        marker={"color": REAL_COLOUR, "size": 9, "symbol": "diamond-open"},
        opacity=0.7,
        hovertext=[_said(real)],
        hovertemplate="%{hovertext}<extra></extra>",
    )


def _said(one: Setting) -> str:
    lines = one.title.replace(", levels ", ",<br>levels ")
    return f"{lines}<br>accuracy {show(one.accuracy)}, recall {show(one.recall)}, n = {one.n:,}"
