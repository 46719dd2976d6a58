"""The confusion matrix as HTML: real buttons in a table, shaded on a log scale. No gradio."""

from collections.abc import Sequence
from html import escape
from math import log1p

from eval.metrics import mistakes

Counts = Sequence[Sequence[int]]  # rows = digit asked for, columns = digit judged
PAIRS = ((5, 6), (6, 5))  # always one click away
DEEP = 0.87  # shades above this need white text, below it black (contrast 4.5 on the light page)


def default_cell(counts: Counts) -> tuple[int, int]:
    """The commonest mistake, or 5 judged 6 where nothing was misread."""
    found = mistakes(counts, 1)
    return found[0][:2] if found else PAIRS[0]


def matrix(counts: Counts, selected: tuple[int, int], hide_diagonal: bool, judge: str) -> str:
    """The K x K table and, above it, the buttons of the 5/6 pair and of the commonest mistakes."""
    k = len(counts)
    shown = [n for r, row in enumerate(counts) for c, n in enumerate(row) if not (hide_diagonal and r == c)]
    top = max(max(shown), 1)
    head = "".join(f'<th scope="col">{c}</th>' for c in range(k))
    rows = "".join(
        f'<tr><th scope="row">{r}</th>'
        + "".join(_cell(counts, r, c, top, selected, hide_diagonal) for c in range(k))
        + "</tr>"
        for r in range(k)
    )
    return (
        f'{_shortcuts(counts)}<table class="matrix" style="--k:{k}" aria-label="Confusion matrix of '
        f'{escape(judge)}: rows are the digit asked for, columns the digit judged. Arrow keys move between cells.">'
        f'<thead><tr><td></td><th class="axis" colspan="{k}" scope="colgroup">judged by {escape(judge)}</th></tr>'
        f'<tr><td class="axis down"><span>asked</span></td>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table>{_legend(top)}"
    )


def _cell(counts: Counts, r: int, c: int, top: int, selected: tuple[int, int], hide_diagonal: bool) -> str:
    n, whole = counts[r][c], sum(counts[r])
    chosen = (r, c) == selected
    kind = "right" if r == c else "miss"
    if r == c and hide_diagonal:
        kind += " hidden-cell"
    shade = log1p(n) / log1p(max(top, n))
    kind += " zero" if n == 0 else " deep" if shade > DEEP else ""
    return (
        f'<td><button type="button" class="cell {kind}" data-r="{r}" data-c="{c}" data-n="{n}" '
        f'style="--t:{shade:.3f}" tabindex="{0 if chosen else -1}" aria-pressed="{str(chosen).lower()}" '
        f'aria-label="asked {r}, judged {c}: {n} of {whole}">{n}</button></td>'
    )


def _shortcuts(counts: Counts) -> str:
    common = [m[:2] for m in mistakes(counts) if m[:2] not in PAIRS]
    pairs = [pair for pair in PAIRS if max(pair) < len(counts)]
    buttons = "".join(
        f'<button type="button" class="chip" data-r="{r}" data-c="{c}" data-n="{counts[r][c]}">'
        f"{r} judged {c} <b>{counts[r][c]}</b></button>"
        for r, c in [*pairs, *common]
    )
    return f'<div class="chips" role="group" aria-label="Often confused">{buttons}</div>'


def _legend(top: int) -> str:
    ticks = [n for n in (1, 10, 100, 1000) if n <= top / 3] + [top]
    marks = "".join(f'<span style="--t:{log1p(n) / log1p(top):.3f}">{n:,}</span>' for n in ticks)
    return f'<div class="legend" aria-hidden="true"><i></i><div>{marks}</div><small>digits, log scale</small></div>'
