"""What Compare shows of reports and choices: the verdict, every number, pairs side by side, up to six reports."""

from html import escape

from app import bring, changes, figures, links, markup, matrix, paired, several, words
from app.colours import colours, pair_colours
from app.comparison_text import MAIN
from app.pair_view import side_by_side
from app.paired import ALL, ORDERS
from app.rivals import offered
from app.shelf import is_own
from app.store import Store
from app.tradeoff import tradeoff
from diffusion_core.errors import UserError
from eval.compare import Comparison, compare
from eval.pairs import unpaired
from eval.report import Report

CELLS = "<h2>What changed, cell by cell</h2>"
FAINT = (
    "Faint: the settings that were tried on a checkpoint, a line for each sampler and number of steps, read by the "
    "judge that chooses settings, and as many real test images. Recall depends on how many there are: hold the lines "
    "against these."
)


def numbers(comparison: Comparison, keys: list[str]) -> str:
    """One row a metric, over all images: A, B, the difference and its interval; the less common ones folded away."""
    rows = {}
    for key in keys:
        row, unit = comparison.row(key), words.METRICS[key].unit
        a, b = ((words.show(e.value, unit), words.show_interval(e, unit)) for e in (row.a, row.b))
        title = words.long_title(words.METRICS[key])
        rows[key] = (title, a, b, paired.difference(row, unit), paired.told_apart(row))
    head = ("over all images", "A", "B", "B − A", "better")
    main = markup.table(head, [rows[k] for k in keys if k in MAIN], "The main metrics of A and B")
    rest = markup.table(head, [rows[k] for k in keys if k not in MAIN], "All other metrics of A and B")
    notes = "".join(map(markup.note, comparison.notes))
    return f"{main}<details><summary>All {len(rows)} metrics</summary>{rest}{notes}</details>"


def judge_of(metric: str, report: Report) -> str:
    """Whose reading decides which side is right: that of the metric's judge, or of the first one that ran."""
    judge = words.METRICS[metric].judge
    return judge if judge in report.confusions else next(iter(report.confusions), "classifier")


def page(store: Store, key_a, key_b, metric, label, order, number):
    """What the tab shows: verdict, figure, classes, pairs, all numbers. `UserError` for a bad choice."""
    if not key_a or not key_b:
        return markup.note("Two reports are needed: python -m app score CHECKPOINT", "empty"), None, "", "", ""
    a, b = bring.pair(store, key_a, key_b)
    try:
        comparison = compare(a, b)
    except UserError as error:  # said where the comparison would stand: a message that passes would leave nothing
        return markup.note(store.explain(error), "empty"), None, "", "", ""
    keys = [key for key in words.available(a) if any(row.metric == key for row in comparison.rows)]
    if metric not in keys:
        raise UserError("These reports have no such metric. Choose another one.")
    how = (
        f"{comparison.n:,} pairs of the same label and seed" if comparison.paired else "compared as independent groups"
    )
    verdict = f'<p class="lead">{escape(words.minus(comparison.verdict))}</p>' + markup.note(
        f"A is {comparison.a}, B is {comparison.b}; {how}. Intervals are 95 %; "
        "all classes of a metric together share one 5 % chance of a false alarm."
    )
    per_class = (a.metrics["per_class"], b.metrics["per_class"])
    sides, hues = (comparison.a, comparison.b), pair_colours(store, key_a, key_b)
    figure = figures.compare_bars(*per_class, sides, metric, comparison.class_names, hues)
    below = paired.by_class(comparison, metric)
    more = numbers(comparison, keys) + paired.made_differently(a, b)
    return verdict, figure, below, turned(store, key_a, key_b, metric, label, order, number), more


def turned(store: Store, key_a, key_b, metric, label, order, number) -> str:
    """One page of the pairs alone."""
    a, b = bring.pair(store, key_a, key_b)
    labels = (ALL, *map(str, range(len(a.source.class_names))))
    if label not in labels or order not in tuple(ORDERS) or metric not in words.available(a):
        raise UserError("Choose the score, the class and the order from what is offered.")
    judge = judge_of(metric, a)
    if reason := unpaired(a, b):
        return markup.note(f"There is nothing to show side by side: {reason}.", "empty")
    found = paired.pairs(a, b, label, order, judge)
    if not found:
        return markup.note(f"There is no such pair under {words.the(judge)}.", "empty")
    return side_by_side(a, b, found, number if type(number) is int else 0)


def cells(store: Store, key_a, key_b, metric, cell, number) -> tuple[str, str, str]:
    """The matrix of what changed, the words about the chosen cell (None: what changed most), and its pairs."""
    if not key_a or not key_b:
        return "", "", ""
    a, b = bring.pair(store, key_a, key_b)
    judge = judge_of(metric, a)
    if not changes.comparable(a, b, judge):
        return "", "", ""
    cell = changes.default_cell(a, b, judge) if cell is None else matrix.checked_cell(cell, len(a.source.class_names))
    return f"{CELLS}{changes.grid(a, b, judge, cell)}", *opened_cell(store, key_a, key_b, metric, cell, number)


def opened_cell(store: Store, key_a, key_b, metric, cell, number) -> tuple[str, str]:
    """The words about one cell of it, and one page of its pairs. `UserError` where there are no such cells."""
    a, b = bring.pair(store, key_a, key_b)
    judge = judge_of(metric, a)
    if not changes.comparable(a, b, judge):
        raise UserError("A and B have no cells to hold against each other. Choose two that share labels and seeds.")
    cell = matrix.checked_cell(cell, len(a.source.class_names))
    link = "" if is_own(key_b) else links.write(tab="compare", a=key_a, b=key_b, metric=metric, cell=cell)
    found = changes.pairs_of(a, b, judge, cell)
    shown = side_by_side(a, b, found, number if type(number) is int else 0) if found else ""
    return changes.heading(a, b, judge, cell, link), shown


def together(store: Store, keys) -> tuple:
    """Up to six reports: their table, the figure of accuracy against recall, and what is said below it."""
    if not keys:
        text = "No report is chosen. Choose one, or make the first: python -m app score CHECKPOINT"
        return markup.note(text, "empty"), None, ""
    colour = colours(store)
    shown = several.chosen(keys, offered(store), store.report, colour)
    sweeps, problems = [], []
    for name in dict.fromkeys(key.split("/")[0] for key in keys):
        try:
            if found := store.sweep(name):
                sweeps.append((name, colour[name], found))
        except UserError as error:
            problems.append(store.explain(error))
    said = markup.note(FAINT) if sweeps else ""
    said += "".join(markup.note(problem, "problem") for problem in problems)
    return several.table(shown), tradeoff(shown, sweeps), said


def share(key_a, key_b, metric, keys) -> str:
    """The button that copies the address of what is shown; a visitor's own samples have none."""
    if is_own(key_b):
        return ""
    return markup.link_button(
        links.write(tab="compare", a=key_a, b=key_b, metric=metric, reports=tuple(keys) if keys else None)
    )


def show(store: Store, key_a, key_b, metric, label, order, number, cell, turn, keys) -> tuple:
    """All that the tab shows."""
    shown = page(store, key_a, key_b, metric, label, order, number)
    changed = ("", "", "") if shown[1] is None else cells(store, key_a, key_b, metric, cell, turn)
    return *shown, *changed, *together(store, keys), share(key_a, key_b, metric, keys)
