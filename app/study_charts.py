"""The figure of a study, in the form that fits it. No gradio.

bars: a bar a variant; map: two settings against each other; curves: digit by digit over training; surface: a trade.
"""

import plotly.graph_objects as go

from app.colours import PALETTE
from app.figures import BLUE, ORANGE, REAL, layout
from app.studied import Studied, fell, learning, over_looks
from eval.formats import SCALE
from eval.study import REAL as REAL_DIGITS
from eval.study_table import METRICS, Line
from eval.study_verdict import shown

MOST_LINES = 8  # of a figure of training losses
GREY = "#808080"
IMAGES = {"type": "log", "dtick": "D2"}  # an axis of images seen
TINTS, LOST = [[0, "#dfe8f6"], [1, "#6591d1"]], "#f0b48a"


def figure(found: Studied, metric: str) -> go.Figure:
    """The figure of one metric."""
    return {"bars": bars, "map": heat, "curves": curves, "surface": surface}[found.study.chart](found, metric)


def title(metric: str) -> str:
    unit = METRICS[metric].unit
    return METRICS[metric].words + (f" ({unit})" if unit else "")


def bars(found: Studied, metric: str) -> go.Figure:
    """A bar a variant with its interval over seeds; the baseline and real digits in colours of their own."""
    lines = [line for line in found.lines if line.metric == metric]
    scale = SCALE.get(METRICS[metric].unit, 1.0)
    drawn = go.Figure(layout=layout("", title(metric)))
    drawn.add_trace(
        go.Bar(
            y=[line.variant for line in lines], x=[scale * line.mean.value for line in lines], orientation="h",
            marker={"color": [colour(found, line.variant) for line in lines]}, error_x=_ends(lines, scale),
            hovertext=[said(line) for line in lines], hovertemplate="%{hovertext}<extra></extra>",
        )
    )  # fmt: skip
    room = 8 * max((len(line.variant) for line in lines), default=0)
    return drawn.update_layout(
        showlegend=False, height=90 + 46 * len(lines), margin={"l": min(room, 190) + 12, "t": 12},
        yaxis={"autorange": "reversed", "showgrid": False, "ticksuffix": "  "}, bargap=0.4,
    )  # fmt: skip


def colour(found: Studied, variant: str) -> str:
    return {found.study.baseline: BLUE, REAL_DIGITS: REAL}.get(variant, ORANGE)


def said(line: Line) -> str:
    """A line of the table in words."""
    mean, text = line.mean, f"{line.variant}: {shown(line.mean.value, line.metric)}"
    if mean.low is not None:
        text += f"<br>95 % interval {shown(mean.low, line.metric)} to {shown(mean.high, line.metric)}"
    return text + f"<br>{mean.n} seeds"


def _ends(lines: list[Line], scale: float) -> dict:
    half = [0.0 if line.mean.high is None else scale * (line.mean.high - line.mean.value) for line in lines]
    return {"type": "data", "array": half, "color": GREY, "thickness": 2, "width": 4}


def heat(found: Studied, metric: str) -> go.Figure:
    """Variants called "ROW, COLUMN" as a map; where runs diverged it says so, and where all did it has no value."""
    pairs = [name.rsplit(", ", 1) for name in found.study.variants]
    rows, columns = ([*dict.fromkeys(pair[i] for pair in pairs)] for i in (0, 1))
    z, lost, texts = [], [], []
    for row in rows:
        names = [f"{row}, {column}" for column in columns]
        lines = [found.line(name, metric) for name in names]
        z.append([None if line is None else line.mean.value for line in lines])
        lost.append([1 if line is None else None for line in lines])
        values = ["" if line is None else shown(line.mean.value, metric) for line in lines]
        texts.append([text(value, fell(found.rows, name)) for value, name in zip(values, names, strict=True)])
    known = [value for row in z for value in row if value is not None]
    both = {"x": columns, "y": rows, "showscale": False, "xgap": 3, "ygap": 3, "text": texts}
    both |= {"hovertemplate": "%{y}, %{x}<br>%{text}<extra></extra>", "texttemplate": "%{text}"}
    both["textfont"] = {"size": 12, "color": "#131312"}  # on cells that are light on either ground
    drawn = go.Figure(layout=layout("", title(metric)))
    lower = METRICS[metric].better == "lower"
    top = min(1.0, max(known, default=1.0)) if lower else max(known, default=1.0)
    drawn.add_trace(go.Heatmap(z=z, colorscale=TINTS, reversescale=lower, zmax=top, zmin=min(known, default=0), **both))
    drawn.add_trace(go.Heatmap(z=lost, colorscale=[[0, LOST], [1, LOST]], **both))
    return drawn.update_layout(
        height=110 + 72 * len(rows), xaxis={"type": "category", "side": "top"}, margin={"l": 96, "t": 60},
        yaxis={"autorange": "reversed", "showgrid": False, "ticksuffix": "  "},
    )  # fmt: skip


def text(value: str, diverged: str) -> str:
    return "<br>".join(filter(None, (value, *diverged.split(", "))))


def curves(found: Studied, metric: str) -> go.Figure:
    """Each digit over the images seen: the F1 score of the classifier's reading, or CLIP's margin."""
    margin = metric == "clip_margin"
    key, words = ("clip_margin", title(metric)) if margin else ("f1", "F1 score by the classifier")
    drawn = go.Figure(layout=layout(words, "images seen"))
    for digit in range(10):
        points = over_looks(found.rows, digit, key)
        drawn.add_trace(
            go.Scatter(
                x=[images for images, _ in points], y=[value for _, value in points], name=f"{digit}",
                mode="lines+markers", marker={"size": 5},
                line={"color": PALETTE[digit % len(PALETTE)], "width": 2, "dash": "dot" if digit >= 8 else "solid"},
                hovertemplate=f"digit {digit}<br>%{{x:,}} images: %{{y:.3g}}<extra></extra>",
            )
        )  # fmt: skip
    return drawn.update_layout(xaxis=IMAGES, height=420)


def surface(found: Studied, metric: str) -> go.Figure:
    """Variants called "SAMPLER, STEPS, GUIDANCE": a line over guidance for each sampler and count of steps."""
    drawn, scale = go.Figure(layout=layout(title(metric), title("recall"))), SCALE.get(METRICS[metric].unit, 1.0)
    groups: dict[tuple[str, str], list[str]] = {}
    for name in found.study.variants:
        groups.setdefault(tuple(name.split(", ")[:2]), []).append(name)
    samplers, counts = ([*dict.fromkeys(key[i] for key in groups)] for i in (0, 1))
    for (sampler, steps), names in groups.items():
        pairs = [(found.line(name, "recall"), found.line(name, metric)) for name in names]
        pairs = [pair for pair in pairs if None not in pair]
        drawn.add_trace(
            go.Scatter(
                x=[a.mean.value for a, _ in pairs], y=[scale * b.mean.value for _, b in pairs],
                name=f"{sampler}, {steps}", mode="lines+markers",
                line={"color": PALETTE[samplers.index(sampler)], "width": 1.5},
                marker={"size": 9, "symbol": ("circle", "square", "diamond")[counts.index(steps) % 3]},
                hovertext=[f"{said(b)}<br>recall {a.mean.value:.3f}" for a, b in pairs],
                hovertemplate="%{hovertext}<extra></extra>",
            )
        )  # fmt: skip
    real = found.line(REAL_DIGITS, "recall"), found.line(REAL_DIGITS, metric)
    if None not in real:
        point = {"x": [real[0].mean.value], "y": [scale * real[1].mean.value]}
        drawn.add_trace(go.Scatter(**point, name=REAL_DIGITS, mode="markers", marker={"color": REAL, "size": 12}))
    return drawn.update_layout(height=460)


def losses(found: Studied) -> go.Figure | None:
    """The training loss of each variant; None where there are none, or too many for one figure."""
    lines = {name: points for name in found.study.variants if (points := learning(found.rows, name))}
    if not 1 < len(lines) <= MOST_LINES:
        return None
    drawn = go.Figure(layout=layout("loss while training", "images seen"))
    for i, (name, points) in enumerate(lines.items()):
        x, y = zip(*points, strict=True)
        drawn.add_trace(go.Scatter(x=x, y=y, name=name, mode="lines", line={"color": PALETTE[i], "width": 2}))
    return drawn.update_layout(xaxis=IMAGES, yaxis={"type": "log", "dtick": "D2"})
