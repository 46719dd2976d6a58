"""The confusion matrix as HTML: real buttons in a table, shaded on a log scale. No gradio."""

from collections.abc import Sequence
from html import escape
from math import log1p

from app.words import LETTERS, LONGEST, minus
from diffusion_core.errors import UserError
from eval.metrics import mistakes

Counts = Sequence[Sequence[int]]  # rows = class asked for, columns = class judged
KINDS = {"generated": "Generated", "real": "Real", "difference": "Difference"}  # what a matrix may show
Pair = tuple[int, int]  # two classes that are always one click away, both ways
WIDE = 14  # classes that fit beside one another
DEEP = 0.87  # shades above this need white text, below it black (contrast 4.5 on the light page)


def default_cell(counts: Counts, pair: Pair) -> tuple[int, int]:
    """The commonest mistake, or that of `pair` where nothing was misread."""
    found = mistakes(counts, 1)
    return found[0][:2] if found else pair


def matrix(
    counts: Counts, names: Sequence[str], pair: Pair, selected: tuple[int, int], hide_diagonal: bool, judge: str,
    shares: bool = False,
) -> str:  # fmt: skip
    """The K x K table and, above it, the buttons of `pair` and of the commonest mistakes; `names` of the K classes.

    With `shares` a cell says per cent of its row, not how many.
    """
    values = [[round(10 * share) for share in row] for row in _shares(counts)] if shares else counts
    shown = [n for r, row in enumerate(values) for c, n in enumerate(row) if not (hide_diagonal and r == c)]
    top = max(max(shown), 1)
    cells = [
        [_cell(counts, names, values[r][c], top, r, c, selected, hide_diagonal, shares) for c in range(len(row))]
        for r, row in enumerate(counts)
    ]
    table = _table(cells, names, judge, "Confusion matrix")
    return f"{_shortcuts(counts, names, pair)}{table}{_legend(top, shares)}"


def difference(
    ours: Counts, theirs: Counts, names: Sequence[str], pair: Pair, selected: tuple[int, int], hide_diagonal: bool,
    judge: str,
) -> str:  # fmt: skip
    """The same table of the shares of every row in `ours` minus those in `theirs`, in points; a cell opens as there."""
    points = [[a - b for a, b in zip(*rows, strict=True)] for rows in zip(_shares(ours), _shares(theirs), strict=True)]
    told = (
        '<p class="note">Points of a row\'s share, generated minus real: green is better than real images, red worse. '
        "A cell opens the generated samples.</p>"
    )
    shown = _differences(points, ours, names, selected, hide_diagonal, judge, "points")
    return _shortcuts(ours, names, pair) + shown + told


def change(counts_a: Counts, counts_b: Counts, names: Sequence[str], selected: tuple[int, int], judge: str) -> str:
    """The same table of B's counts minus A's, of pairs."""
    gained = [[b - a for a, b in zip(*rows, strict=True)] for rows in zip(counts_a, counts_b, strict=True)]
    told = (
        '<p class="note">Images, B minus A: green is better in B, red worse. A cell opens the pairs that A or B '
        "has in it.</p>"
    )
    return _differences(gained, counts_b, names, selected, False, judge, "more in B") + told


def still_change(before: Counts, after: Counts, names: Sequence[str], judge: str) -> str:
    """The table of `after` minus `before`, to be read and not clicked."""
    top = max(abs(b - a) for rows in zip(before, after, strict=True) for a, b in zip(*rows, strict=True)) or 1
    cells = [
        [_still_cell(b - a, r == c, top) for c, (a, b) in enumerate(zip(*rows, strict=True))]
        for r, rows in enumerate(zip(before, after, strict=True))
    ]
    told = '<p class="note">Images, after minus before: green is better, red worse.</p>'
    return _table(cells, names, judge, "Difference of confusion matrices", False) + told


def _still_cell(value: int, diagonal: bool, top: int) -> str:
    kind = "zero" if not value else "better" if (value > 0) == diagonal else "worse"
    text = minus(f"{value:+d}") if value else "0"
    return f'<td><span class="cell {kind}" style="--t:{(abs(value) / top) ** 0.5:.3f}">{text}</span></td>'


def _differences(
    values: Sequence[Sequence[float]], counts: Counts, names: Sequence[str], selected: tuple[int, int],
    hide_diagonal: bool, judge: str, unit: str,
) -> str:  # fmt: skip
    shown = [abs(v) for r, row in enumerate(values) for c, v in enumerate(row) if not (hide_diagonal and r == c)]
    top = max(shown) or 1.0
    cells = [
        [
            _difference_cell(counts, names, values[r][c], r, c, top, selected, hide_diagonal, unit)
            for c in range(len(values))
        ]
        for r in range(len(values))
    ]
    return _table(cells, names, judge, "Difference of confusion matrices")


def _table(
    cells: Sequence[Sequence[str]], names: Sequence[str], judge: str, title: str, keys: bool = True
) -> str:  # fmt: skip
    """Long names stand on end above their columns; more classes than fit scroll sideways."""
    k, longest = len(cells), max(map(len, names))
    moves = " Arrow keys move between cells." if keys else ""
    head = "".join(f'<th scope="col">{_name(name)}</th>' for name in names)
    rows = "".join(
        f'<tr><th scope="row">{_name(name)}</th>{"".join(row)}</tr>' for name, row in zip(names, cells, strict=True)
    )
    kind = " named" if longest > LETTERS else ""
    table = (
        f'<table class="matrix{kind}" style="--k:{k};--longest:{min(longest, LONGEST)}" aria-label="{title} of '
        f'{escape(judge)}: rows are the class asked for, columns the class judged.{moves}">'
        f'<colgroup><col class="names"><col span="{k}"></colgroup>'
        f'<thead><tr><td></td><th class="axis" colspan="{k}" scope="colgroup">judged by {escape(judge)}</th></tr>'
        f'<tr><td class="axis down"><span>asked</span></td>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )
    return table if k <= WIDE else f'<div class="scroll" role="region" aria-label="{title}">{table}</div>'


def _name(name: str) -> str:
    shown = escape(name)
    return f'<span title="{shown}">{shown}</span>' if len(name) > LONGEST else f"<span>{shown}</span>"


def _shares(counts: Counts) -> list[list[float]]:
    """Per cent of each row; a row that nothing was asked of is all 0."""
    return [[100 * n / (sum(row) or 1) for n in row] for row in counts]


def _cell(
    counts: Counts, names: Sequence[str], value: int, top: int, r: int, c: int, selected: tuple[int, int],
    hide_diagonal: bool, share: bool,
) -> str:  # fmt: skip
    """`value` is the count, or with `share` tenths of a per cent of the row."""
    n, whole = counts[r][c], sum(counts[r])
    shade = log1p(value) / log1p(max(top, value))
    kind = ("right" if r == c else "miss") + (" zero" if n == 0 else " deep" if shade > DEEP else "")
    hidden = r == c and hide_diagonal
    says, text = f"{n} of {whole}", str(n)
    if share:
        text = "<.1" if n and not value else _tenths(value if n == whole else min(value, 999))  # never to certainty
        says = f"{text} %, {says}"
    return _button(kind, (r, c), names, n, shade, selected, hidden, says, text)


def _tenths(value: int) -> str:
    """Tenths in at most four characters, which fit a phone's cell."""
    return f"{value / 10:.0f}" if value % 10 == 0 or value >= 1000 else f"{value / 10:.1f}"


def _difference_cell(
    counts: Counts, names: Sequence[str], value: float, r: int, c: int, top: float, selected: tuple[int, int],
    hide_diagonal: bool, unit: str,
) -> str:  # fmt: skip
    """More on the diagonal is good, more elsewhere bad."""
    none = abs(value) < 0.05
    kind = "zero" if none else "better" if (value > 0) == (r == c) else "worse"
    whole = isinstance(value, int) or abs(value) >= 9.95  # three figures fit a phone's cell
    text = "0" if none else minus(f"{value:+.{0 if whole else 1}f}")
    hidden, shade = r == c and hide_diagonal, min(1.0, abs(value) / top) ** 0.5
    return _button(kind, (r, c), names, counts[r][c], shade, selected, hidden, f"{text} {unit}", text)


def _button(
    kind: str, at: tuple[int, int], names: Sequence[str], n: int, shade: float, selected: tuple[int, int],
    hidden: bool, says: str, text: str,
) -> str:  # fmt: skip
    (r, c), chosen = at, at == selected
    return (
        f'<td><button type="button" class="cell {kind}{" hidden-cell" if hidden else ""}" data-r="{r}" data-c="{c}" '
        f'data-n="{n}" style="--t:{shade:.3f}" tabindex="{0 if chosen else -1}" aria-pressed="{str(chosen).lower()}" '
        f'aria-label="asked {escape(names[r])}, judged {escape(names[c])}: {escape(says)}">{escape(text)}</button></td>'
    )


def _shortcuts(counts: Counts, names: Sequence[str], pair: Pair) -> str:
    pairs = [pair, pair[::-1]]
    common = [m[:2] for m in mistakes(counts) if m[:2] not in pairs]
    buttons = "".join(
        f'<button type="button" class="chip" data-r="{r}" data-c="{c}" data-n="{counts[r][c]}">'
        f"{escape(names[r])} judged {escape(names[c])} <b>{counts[r][c]}</b></button>"
        for r, c in [*pairs, *common]
    )
    return f'<div class="chips" role="group" aria-label="Often confused">{buttons}</div>'


def _legend(top: int, shares: bool) -> str:
    """`top` as in `matrix`: images, or tenths of a per cent."""
    ticks = [n for n in (1, 10, 100, 1000) if n <= top / 3] + [top]
    texts = [f"{n / 10:g}" if shares else f"{n:,}" for n in ticks]
    marks = "".join(
        f'<span style="--t:{log1p(n) / log1p(top):.3f}">{text}</span>' for n, text in zip(ticks, texts, strict=True)
    )
    what = "per cent of a row" if shares else "images"
    return f'<div class="legend" aria-hidden="true"><i></i><div>{marks}</div><small>{what}, log scale</small></div>'


def checked_cell(cell, k: int) -> tuple[int, int]:
    """`cell` as the numbers of two of `k` classes; `UserError` for anything else a browser may send."""
    if not isinstance(cell, list | tuple) or len(cell) != 2:
        raise UserError("Choose a cell of the matrix.")
    if not all(type(d) is int and 0 <= d < k for d in cell):
        raise UserError(f"A cell is two classes from 0 to {k - 1}.")
    return cell[0], cell[1]
