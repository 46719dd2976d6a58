"""How well a checkpoint restores, as `restoration.jsonl` beside its weights has it: a figure and a table. No gradio."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import plotly.graph_objects as go

from app import markup
from app.figures import BLUE, ORANGE, REAL, layout
from diffusion_core.damage import KINDS
from diffusion_core.errors import UserError
from eval.metrics import Estimate

RESTORATIONS = "restoration.jsonl"
METRICS = {"kept": "still the same class (%)", "psnr": "PSNR (dB)", "ssim": "SSIM"}
# method -> in words, colour of its bars; those without one stand in the table alone
METHODS = {
    "damaged": ("as it is", "#9a9a9a"),
    "median": ("median filter", None),
    "classical": ("OpenCV and the like", ORANGE),
    "untrained": ("untrained network", "#aa4499"),
    "wiener": ("Gaussian prior", REAL),
    "model": ("this model", BLUE),
    "told": ("told the class", None),
    "ddnm": ("DDNM, 4 times", None),
    "mean": ("mean of 8", None),
}
CHANGED, MOST = ("damage", "became another class", "most often"), 4


class Restored(NamedTuple):
    """One method on one kind of damage; `scores` has an entry for each of METRICS. `confusion` counts images, int
    [K][K]: rows as the classifier read the original, columns as it read what was restored."""

    kind: str
    severity: float
    method: str
    scores: dict[str, Estimate]
    confusion: list[list[int]]


def read(folder: Path) -> tuple[Restored, ...]:
    """Every line in `folder`, none where nothing was measured; `UserError` where the file is damaged."""
    if not (folder / RESTORATIONS).exists():
        return ()
    try:
        rows = [json.loads(line) for line in (folder / RESTORATIONS).read_text(encoding="utf-8").splitlines()]
        return tuple(
            Restored(
                row["kind"],
                float(row["severity"]),
                row["method"],
                {m: Estimate(**row[m]) for m in METRICS},
                [[int(count) for count in counts] for counts in row["confusion"]],
            )
            for row in rows
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{RESTORATIONS} of {folder.name} is damaged ({type(error).__name__}). Measure it again."
        ) from None


def figure(lines: Sequence[Restored], metric: str) -> go.Figure:
    """A group of bars for each kind of damage at its middle severity, a bar a method, with 95 % intervals."""
    shown = go.Figure(layout=layout(METRICS[metric], ""))
    scale = 100 if metric == "kept" else 1
    lines = [line for line in lines if line.severity == KINDS[line.kind].middle]
    kinds = [kind for kind in KINDS if any(line.kind == kind for line in lines)]
    for method, (words, colour) in METHODS.items():
        found = {line.kind: line.scores[metric] for line in lines if line.method == method}
        if not colour or not found:
            continue
        values = [found[kind] for kind in kinds if kind in found]
        shown.add_trace(
            go.Bar(
                x=[KINDS[kind].title for kind in kinds if kind in found], y=[scale * e.value for e in values],
                name=words, marker={"color": colour},
                error_y={
                    "type": "data", "symmetric": False, "thickness": 1, "width": 2,
                    "array": [scale * (e.high - e.value) for e in values],
                    "arrayminus": [scale * (e.value - e.low) for e in values],
                },
                hovertext=[f"{words}: {said(metric, e)}, n = {e.n:,}" for e in values],
                hovertemplate="%{x}<br>%{hovertext}<extra></extra>",
            )
        )  # fmt: skip
    return shown.update_layout(barmode="group", bargap=0.25)


def table(lines: Sequence[Restored], metric: str) -> str:
    """A row for each kind and severity, a column a method."""
    head, rows = cells(lines, metric)
    return markup.table(head, rows, METRICS[metric])


def cells(lines: Sequence[Restored], metric: str) -> tuple[list[str], list[list]]:
    """Heads and rows of that table: values with their intervals, "–" where nothing was measured."""
    found = {(line.kind, line.severity, line.method): line.scores[metric] for line in lines}
    methods = [method for method in METHODS if any(line.method == method for line in lines)]
    rows = [
        [
            kind.said(severity),
            *[_cell(metric, found.get((name, severity, method))) for method in methods],
        ]
        for name, kind in KINDS.items()
        for severity in kind.severities
        if any(line[:2] == (name, severity) for line in lines)
    ]
    return ["damage", *[METHODS[method][0] for method in methods]], rows


def _cell(metric: str, estimate: Estimate | None):
    return "–" if estimate is None else (value(metric, estimate.value), ends(metric, estimate))


def said(metric: str, estimate: Estimate) -> str:
    return f"{value(metric, estimate.value)} ({ends(metric, estimate)})"


def value(metric: str, number: float) -> str:
    return f"{100 * number:.1f} %" if metric == "kept" else f"{number:.1f} dB" if metric == "psnr" else f"{number:.3f}"


def ends(metric: str, estimate: Estimate) -> str:
    digits, scale = {"kept": (1, 100), "psnr": (1, 1), "ssim": (3, 1)}[metric]
    return f"{scale * estimate.low:.{digits}f} to {scale * estimate.high:.{digits}f}"


def changed(lines: Sequence[Restored], names: Sequence[str]) -> str:
    """A row for each kind and severity: which classes this model took for which others most often."""
    return markup.table(CHANGED, changes(lines, names), "images that became others")


def changes(lines: Sequence[Restored], names: Sequence[str]) -> list[tuple[str, str, str]]:
    """Rows of that table: the damage, images that became others, the most frequent of them as "4 → 9: 18"."""
    found = {(line.kind, line.severity): line.confusion for line in lines if line.method == "model"}
    rows = []
    for name, kind in KINDS.items():
        for severity in kind.severities:
            counts = found.get((name, severity))
            if counts:
                ways = [(n, a, b) for a, row in enumerate(counts) for b, n in enumerate(row) if n and a != b]
                total, lost = sum(map(sum, counts)), sum(n for n, _, _ in ways)
                most = ", ".join(
                    f"{names[a]} → {names[b]}: {n}" for n, a, b in sorted(ways, key=lambda w: (-w[0], *w[1:]))[:MOST]
                )
                rows.append((kind.said(severity), f"{lost:,} of {total:,}", most or "–"))
    return rows
