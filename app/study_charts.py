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
        yaxis={"autorange": "reversed", "showgrid": False}, bargap=0.4,
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
    """Variants called "ROW, COLUMN" as a map; where runs diverged it says so."""
    pairs = [name.rsplit(", ", 1) for name in found.study.variants]
    rows, columns = ([*dict.fromkeys(pair[i] for pair in pairs)] for i in (0, 1))
    names = [[f"{row}, {column}" for column in columns] for row in rows]
    values = [[getattr(found.line(name, metric), "mean", None) for name in row] for row in names]
    texts = [
        ["<br>".join(filter(None, ["" if e is None else shown(e.value, metric), fell(found.rows, name)]))
         for name, e in zip(row, estimates, strict=True)] for row, estimates in zip(names, values, strict=True)
    ]  # fmt: skip
    drawn = go.Figure(layout=layout("", title(metric)))
    drawn.add_trace(
        go.Heatmap(
            z=[[None if e is None else e.value for e in row] for row in values], x=columns, y=rows, text=texts,
            texttemplate="%{text}", textfont={"size": 11}, hovertemplate="%{y}, %{x}<br>%{text}<extra></extra>",
            colorscale="Blues", reversescale=METRICS[metric].better == "lower", showscale=False, xgap=3, ygap=3,
            zmax=min(1.0, max((e.value for row in values for e in row if e), default=1.0)),
        )
    )  # fmt: skip
    return drawn.update_layout(
        height=110 + 66 * len(rows), xaxis={"type": "category", "side": "top"}, margin={"l": 90, "t": 60},
        yaxis={"autorange": "reversed", "showgrid": False},
    )  # fmt: skip


def curves(found: Studied, metric: str) -> go.Figure:
    """Each digit over the images seen, by the classifier's reading or by CLIP's margin."""
    key = "clip_margin" if metric == "clip_margin" else "accuracy"
    scale = SCALE.get(METRICS[key].unit, 1.0)
    drawn = go.Figure(layout=layout(title(key), "images seen"))
    for digit in range(10):
        points = over_looks(found.rows, digit, key)
        drawn.add_trace(
            go.Scatter(
                x=[images for images, _ in points], y=[scale * value for _, value in points], name=f"{digit}",
                mode="lines+markers", marker={"size": 5},
                line={"color": PALETTE[digit % len(PALETTE)], "width": 2, "dash": "dot" if digit >= 8 else "solid"},
                hovertemplate=f"digit {digit}<br>%{{x:,}} images: %{{y:.3g}}<extra></extra>",
            )
        )  # fmt: skip
    return drawn.update_layout(xaxis={"type": "log"}, height=420)


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
    return drawn.update_layout(xaxis={"type": "log"}, yaxis={"type": "log"})
