"""The confusion matrix as HTML: real buttons in a table, shaded on a log scale. No gradio."""

from collections.abc import Sequence
from html import escape
from math import log1p

from app.words import minus
from eval.metrics import mistakes

Counts = Sequence[Sequence[int]]  # rows = digit asked for, columns = digit judged
KINDS = {"generated": "Generated", "real": "Real", "difference": "Difference"}  # what a matrix may show
PAIRS = ((5, 6), (6, 5))  # always one click away
DEEP = 0.87  # shades above this need white text, below it black (contrast 4.5 on the light page)


def default_cell(counts: Counts) -> tuple[int, int]:
    """The commonest mistake, or 5 judged 6 where nothing was misread."""
    found = mistakes(counts, 1)
    return found[0][:2] if found else PAIRS[0]


def matrix(counts: Counts, selected: tuple[int, int], hide_diagonal: bool, judge: str) -> str:
    """The K x K table and, above it, the buttons of the 5/6 pair and of the commonest mistakes."""
    shown = [n for r, row in enumerate(counts) for c, n in enumerate(row) if not (hide_diagonal and r == c)]
    top = max(max(shown), 1)
    cells = [
        [_cell(counts, r, c, top, selected, hide_diagonal) for c in range(len(row))] for r, row in enumerate(counts)
    ]
    return f"{_shortcuts(counts)}{_table(cells, judge, 'Confusion matrix')}{_legend(top)}"


def difference(ours: Counts, theirs: Counts, selected: tuple[int, int], hide_diagonal: bool, judge: str) -> str:
    """The same table of the shares of every row in `ours` minus those in `theirs`, in points; a cell opens as there."""
    points = [[a - b for a, b in zip(*rows, strict=True)] for rows in zip(_shares(ours), _shares(theirs), strict=True)]
    shown = [abs(p) for r, row in enumerate(points) for c, p in enumerate(row) if not (hide_diagonal and r == c)]
    top = max(shown) or 1.0
    cells = [
        [_difference_cell(ours, points[r][c], r, c, top, selected, hide_diagonal) for c in range(len(ours))]
        for r in range(len(ours))
    ]
    told = (
        '<p class="note">Points of a row\'s share, generated minus real: green is better than real digits, red worse. '
        "A cell opens the generated samples.</p>"
    )
    return f"{_shortcuts(ours)}{_table(cells, judge, 'Difference of confusion matrices')}{told}"


def _table(cells: Sequence[Sequence[str]], judge: str, title: str) -> str:
    k = len(cells)
    head = "".join(f'<th scope="col">{c}</th>' for c in range(k))
    rows = "".join(f'<tr><th scope="row">{r}</th>{"".join(row)}</tr>' for r, row in enumerate(cells))
    return (
        f'<table class="matrix" style="--k:{k}" aria-label="{title} of '
        f'{escape(judge)}: rows are the digit asked for, columns the digit judged. Arrow keys move between cells.">'
        f'<thead><tr><td></td><th class="axis" colspan="{k}" scope="colgroup">judged by {escape(judge)}</th></tr>'
        f'<tr><td class="axis down"><span>asked</span></td>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _shares(counts: Counts) -> list[list[float]]:
    """Per cent of each row; a row that nothing was asked of is all 0."""
    return [[100 * n / (sum(row) or 1) for n in row] for row in counts]


def _cell(counts: Counts, r: int, c: int, top: int, selected: tuple[int, int], hide_diagonal: bool) -> str:
    n, whole = counts[r][c], sum(counts[r])
    shade = log1p(n) / log1p(max(top, n))
    kind = ("right" if r == c else "miss") + (" zero" if n == 0 else " deep" if shade > DEEP else "")
    hidden = r == c and hide_diagonal
    return _button(kind, (r, c), n, shade, selected, hidden, f"{n} of {whole}", str(n))


def _difference_cell(
    ours: Counts, points: float, r: int, c: int, top: float, selected: tuple[int, int], hide_diagonal: bool
) -> str:
    """More on the diagonal is good, more elsewhere bad."""
    none = abs(points) < 0.05
    kind = "zero" if none else "better" if (points > 0) == (r == c) else "worse"
    text = "0" if none else minus(f"{points:+.{0 if abs(points) >= 9.95 else 1}f}")  # three figures fit a phone's cell
    hidden, shade = r == c and hide_diagonal, min(1.0, abs(points) / top) ** 0.5
    return _button(kind, (r, c), ours[r][c], shade, selected, hidden, f"{text} points", text)


def _button(
    kind: str, at: tuple[int, int], n: int, shade: float, selected: tuple[int, int], hidden: bool, says: str, text: str
) -> str:  # fmt: skip
    (r, c), chosen = at, at == selected
    return (
        f'<td><button type="button" class="cell {kind}{" hidden-cell" if hidden else ""}" data-r="{r}" data-c="{c}" '
        f'data-n="{n}" style="--t:{shade:.3f}" tabindex="{0 if chosen else -1}" aria-pressed="{str(chosen).lower()}" '
        f'aria-label="asked {r}, judged {c}: {says}">{text}</button></td>'
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
