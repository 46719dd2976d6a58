"""Reports -> plotly figures: plain traces on a transparent ground. No gradio.

Text and grid colours come from the page's style sheet, which knows whether it is light or dark.
"""

import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from app.words import LONGEST, METRICS, REAL_IMAGES, Metric, long_title, show, show_interval
from eval.formats import SCALE
from eval.metrics import Estimate

# Told apart by every common kind of colour vision, and by lightness.
BLUE, ORANGE, REAL = "#3b73c4", "#e08a2e", "#5d9c7b"
HEIGHT = 360

PerClass = dict[str, dict[str, Estimate]]  # "0", "1", ... -> metric -> Estimate


def score_bars(
    per_class: PerClass, reference: PerClass | None, metric: str, names: Sequence[str], colour: str = BLUE
) -> go.Figure:
    """One bar a class with its 95 % interval; a line across it where real images stand. `names` of the classes."""
    entry = METRICS[metric]
    floor = _floor(entry, [per_class, reference or {}])
    figure = _figure(entry, floor, names)
    figure.add_trace(_marks(per_class, entry, names, "generated", colour, floor))
    if reference:
        figure.add_trace(_ceiling(reference, entry, names))
    return figure


def compare_bars(
    a: PerClass, b: PerClass, sides: tuple[str, str], metric: str, names: Sequence[str],
    colours: tuple[str, str] = (BLUE, ORANGE),
) -> go.Figure:  # fmt: skip
    """Two bars a class, A and B (`sides`: what they are called), each with its 95 % interval."""
    entry = METRICS[metric]
    floor = _floor(entry, [a, b])
    figure = _figure(entry, floor, names)
    figure.add_trace(_marks(a, entry, names, f"A · {sides[0]}", colours[0], floor))
    figure.add_trace(_marks(b, entry, names, f"B · {sides[1]}", colours[1], floor))
    return figure


def reliability(bins: list[dict], name: str) -> go.Figure:
    """How often a judge is right where it is so sure: a point a bin with its 95 % interval, and the ideal line."""
    full = [b for b in bins if b["n"]]
    found = [Estimate(**b["accuracy"]) for b in full]
    hover = [
        f"{100 * b['low']:.0f} to {100 * b['high']:.0f} % sure: {show(e.value)} right<br>n = {e.n:,}"
        for b, e in zip(full, found, strict=True)
    ]
    figure = go.Figure(layout=layout("right (%)", "sure (%)"))
    line = {"color": REAL, "width": 2}
    figure.add_trace(
        go.Scatter(x=[0, 100], y=[0, 100], mode="lines", name="as sure as right", line=line, hoverinfo="skip")
    )
    figure.add_trace(
        go.Scatter(
            name=name,
            x=[100 * b["confidence"] for b in full],
            y=[100 * e.value for e in found],
            mode="markers",
            marker={"color": BLUE, "size": 10},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [_gap(e.high, e.value, 100) for e in found],
                "arrayminus": [_gap(e.value, e.low, 100) for e in found],
                "color": BLUE,
                "thickness": 2,
                "width": 4,
            },
            hovertext=hover,
            hovertemplate="%{hovertext}<extra></extra>",
        )
    )
    return figure.update_layout(xaxis={"range": [0, 102]}, yaxis={"range": [0, 103]})


def distribution(
    values: np.ndarray, real: np.ndarray | None, title: str, unit: str, name: str, own: str = BLUE
) -> go.Figure:  # fmt: skip
    """Histogram of a score over one class's samples, beside that of real images; shares, so that both may be any n."""
    scale = SCALE.get(unit, 1.0)
    ends = np.concatenate([part for part in (values, real) if part is not None]) * scale
    low, high = (float(ends.min()), float(ends.max())) if len(ends) else (0.0, 1.0)
    bins = {"start": low, "end": high + 1e-9, "size": max((high - low) / 30, 1e-6)}
    figure = go.Figure(layout=layout(f"images of {name} (%)", title + (f" ({unit})" if unit else "")))
    for shown, part, colour in (("generated", values, own), (REAL_IMAGES, real, REAL)):
        if part is not None:
            figure.add_trace(
                go.Histogram(
                    x=scale * part, name=shown, xbins=bins, histnorm="percent", opacity=0.6, marker={"color": colour}
                )
            )
    return figure.update_layout(barmode="overlay", height=300)


def odds(
    values: Sequence[np.ndarray], real: Sequence[np.ndarray] | None, names: tuple[str, str], end: float
) -> go.Figure:
    """Two histograms over log10 odds from -end to end, one a class, and as lines those of real images; shares."""
    figure = go.Figure(layout=layout("share (%)", f"{names[0]} \u2190 odds, powers of ten \u2192 {names[1]}"))
    edges = np.linspace(-end, end, 25)
    middles = (edges[1:] + edges[:-1]) / 2
    for name, colour, part in zip(names, (BLUE, ORANGE), values, strict=True):
        bars = {"color": colour, "line": {"width": 0}}
        figure.add_trace(go.Bar(x=middles, y=_shares(part, edges), name=name, marker=bars, opacity=0.6))
    for name, colour, part in zip(names, (BLUE, ORANGE), real or (), strict=bool(real)):
        line = {"color": colour, "width": 2, "shape": "hvh"}
        figure.add_trace(go.Scatter(x=middles, y=_shares(part, edges), name=f"real {name}", mode="lines", line=line))
    axis = {"type": "log", "range": [-1.3, 2.05], "tickvals": [0.1, 1, 10, 100]}
    return figure.update_layout(barmode="overlay", bargap=0, height=320, yaxis=axis)


def _shares(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Per cent of the values between each two edges; None where there are none, which a log axis cannot show."""
    counts = np.histogram(values, edges)[0]
    return np.where(counts > 0, 100 * counts / max(len(values), 1), None)


def recognition(found: dict, pair: tuple[int, int], names: Sequence[str]) -> go.Figure:
    """Share of each class's images recognised at every noise level without the label; `pair` stands out, t50 marked."""
    section, sigmas = found["blind"] or found, found["sigmas"]
    figure = go.Figure(layout=layout("recognised (%)", "noise level, falling"))
    for label, curves in section["per_class"].items():
        own, name = int(label) in pair, names[int(label)]
        colour = (BLUE, ORANGE)[pair.index(int(label))] if own else "#808080"
        shares = [Estimate(**e) for e in curves["recognised"]]
        figure.add_trace(
            go.Scatter(
                name=name,
                x=sigmas,
                y=[_scaled(e.value, 100) for e in shares],
                mode="lines+markers" if own else "lines",
                line={"color": colour, "width": 3 if own else 1},
                opacity=1 if own else 0.45,
                showlegend=own,
                hovertext=[f"{name}, noise {s:.2f}: {show(e.value)}" for s, e in zip(sigmas, shares, strict=True)],
                hovertemplate="%{hovertext}<extra></extra>",
            )
        )
        if own and curves["t50"]["sigma"]:
            figure.add_vline(x=curves["t50"]["sigma"], line={"color": colour, "width": 1.5, "dash": "dash"})
    axis = {"type": "log", "range": [math.log10(max(sigmas)) + 0.05, math.log10(min(sigmas)) - 0.05]}
    return figure.update_layout(xaxis=axis, yaxis={"range": [0, 103]})


def _floor(entry: Metric, groups: list[PerClass]) -> float:
    """Where the axis of a share starts: higher up if all intervals lie near 100 %, 0 otherwise."""
    found = [e[entry.key] for group in groups for e in group.values()]
    lows = [e.value if e.low is None else e.low for e in found if e.value is not None]
    if entry.unit != "%" or not lows:
        return 0.0
    return next((start for start in (90.0, 80.0, 60.0) if 100 * min(lows) > start + 1), 0.0)


def _marks(
    per_class: PerClass, entry: Metric, names: Sequence[str], name: str, colour: str, floor: float
) -> go.Bar | go.Scatter:
    """Bars where the axis starts at 0. Where it does not, a bar's length would lie: points instead."""
    labels, scale = sorted(per_class, key=int), _scale(entry)
    found = [per_class[label][entry.key] for label in labels]
    common = {
        "name": name,
        "x": [names[int(label)] for label in labels],
        "y": [_scaled(e.value, scale) for e in found],
        "offsetgroup": name,
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [_gap(e.high, e.value, scale) for e in found],
            "arrayminus": [_gap(e.value, e.low, scale) for e in found],
            "thickness": 2 if floor else 1.5,
            "width": 4,
            "color": colour if floor else "#808080",
        },
        "hovertext": [_hover(names[int(d)], e, entry.unit) for d, e in zip(labels, found, strict=True)],
        "hovertemplate": "%{hovertext}<extra>" + name + "</extra>",
    }
    if floor:
        return go.Scatter(mode="markers", marker={"color": colour, "size": 11}, cliponaxis=False, **common)
    return go.Bar(marker={"color": colour, "line": {"width": 0}}, **common)


def _ceiling(reference: PerClass, entry: Metric, names: Sequence[str]) -> go.Scatter:
    labels, scale = sorted(reference, key=int), _scale(entry)
    found = [reference[label][entry.key] for label in labels]
    return go.Scatter(
        name=REAL_IMAGES,
        x=[names[int(label)] for label in labels],
        y=[_scaled(e.value, scale) for e in found],
        offsetgroup="generated",  # over the marks, not beside them
        mode="markers",
        marker={"symbol": "line-ew-open", "size": 20, "color": REAL, "line": {"width": 3, "color": REAL}},
        hovertext=[_hover(names[int(d)], e, entry.unit) for d, e in zip(labels, found, strict=True)],
        hovertemplate=f"%{{hovertext}}<extra>{REAL_IMAGES}</extra>",
    )


def _figure(entry: Metric, floor: float, names: Sequence[str]) -> go.Figure:
    unit = f" ({entry.unit})" if entry.unit else ""
    title = long_title(entry) + unit + (f", from {floor:g}" if floor else "")
    figure = go.Figure(layout=layout(title, "class asked for"))
    bounds = [floor, 100.4 if floor >= 80 else 101] if entry.unit == "%" else None
    return figure.update_layout(
        xaxis={"type": "category", "showgrid": False, "automargin": True, **_ticks(names)},
        yaxis={"range": bounds},
        bargap=0.35,
        bargroupgap=0.08,
        scattermode="group",
        scattergap=0.5,
    )


def _ticks(names: Sequence[str]) -> dict:
    """Long names cut short: written out they would leave no room for what stands above them."""
    if max(map(len, names)) <= LONGEST:
        return {}
    return {
        "tickvals": list(names),
        "ticktext": [name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…" for name in names],
    }


def layout(upright: str, along: str) -> dict:
    """What all figures share; the titles of the two axes."""
    axis = {"fixedrange": True, "gridcolor": "rgba(128,128,128,0.25)", "zerolinecolor": "rgba(128,128,128,0.6)"}
    return {
        "template": "none",
        "height": HEIGHT,
        "autosize": True,
        "margin": {"l": 52, "r": 8, "t": 34, "b": 44},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": "#808080"},
        "dragmode": False,
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "hoverlabel": {"font": {"family": "system-ui, sans-serif"}},
        "xaxis": axis | {"title": {"text": along}},
        "yaxis": axis | {"title": {"text": upright}},
    }


def _scale(entry: Metric) -> float:
    return SCALE.get(entry.unit, 1.0)


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else value * scale


def _gap(high: float | None, low: float | None, scale: float) -> float:
    return 0.0 if high is None or low is None else max(0.0, high - low) * scale


def _hover(name: str, e: Estimate, unit: str) -> str:
    return f"{name}: {show(e.value, unit)}<br>95 % interval {show_interval(e, unit)}<br>n = {e.n:,}"
