"""The plot of a study as a picture: a point a variant with its interval over seeds. The page draws richer ones."""

from collections.abc import Sequence
from html import escape

from eval.study_table import METRICS, Line

WIDE, LEFT, RIGHT, ROW, TOP = 720, 250, 30, 24, 40


def svg(lines: Sequence[Line], metric: str) -> str:
    """An SVG of one metric; the first line is the baseline, whose mean is drawn as an upright line."""
    mine = [line for line in lines if line.metric == metric]
    ends = [end for line in mine for end in line.mean[:3] if end is not None]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    span = (high - low) or 1.0

    def x(value: float) -> float:
        return round(LEFT + (WIDE - LEFT - RIGHT) * (value - low) / span, 1)

    height = TOP + ROW * len(mine) + 30
    parts = [_text(LEFT, 20, METRICS[metric].words, "start")]
    parts += [_text(x(end), height - 8, f"{end:.4g}", "middle") for end in dict.fromkeys((low, high)) if ends]
    if mine:
        at = x(mine[0].mean.value)
        parts.append(f'<path d="M{at} {TOP - 8}V{height - 26}" stroke="#999" stroke-dasharray="3 3"/>')
    for i, line in enumerate(mine):
        y = TOP + ROW * i + ROW / 2
        parts.append(_text(LEFT - 12, y + 4, line.variant, "end"))
        if line.mean.low is not None:
            ends = f"M{x(line.mean.low)} {y}H{x(line.mean.high)}"
            parts.append(f'<path d="{ends}" stroke="#3b73c4" stroke-width="2"/>')
        parts.append(f'<circle cx="{x(line.mean.value)}" cy="{y}" r="4" fill="#3b73c4"/>')
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDE}" height="{height}" viewBox="0 0 {WIDE} {height}">'
    return f'{head}<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    style = f'font-family="sans-serif" font-size="13" fill="#333" text-anchor="{anchor}"'
    return f'<text x="{x}" y="{y:g}" {style}>{escape(text)}</text>'
