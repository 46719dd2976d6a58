"""What the page says of studies, as HTML: cards of all; of one its claim, verdict, table, pictures. No gradio."""

from collections.abc import Sequence
from html import escape

from app import markup, sprites
from app.studied import Studied
from eval.study import REAL, Study
from eval.study_table import METRICS
from eval.study_verdict import HELD, NOT, shown

COLUMNS = ("loss", "accuracy", "clip_accuracy", "fd", "recall", "gap", "parameters", "flops", "seconds", "memory")
COSTS = {"step_ms": "ms a training step", "digit_ms": "ms a digit"}
MOST_PICTURES = 24
KINDS = {HELD: "good", NOT: "bad"}


def outcome(found: Studied | str | None) -> tuple[str, str]:
    """(words, class) of how a study ended; a text says what is wrong with it."""
    if isinstance(found, str):
        return "cannot be read", "bad"
    if found is None or not found.rows:
        return "not run yet", "open"
    if not found.whole:
        return f"{len(found.rows)} runs so far", "open"
    return found.conclusion.verdict, KINDS.get(found.conclusion.verdict, "open")


def cards(studies: Sequence[tuple[Study, Studied | str | None]], chosen: str) -> str:
    """A card a study: its title, whether its claim held, the claim."""
    items = []
    for study, found in studies:
        words, kind = outcome(found)
        pressed = str(study.name == chosen).lower()
        items.append(
            f'<li><button type="button" data-study="{escape(study.name)}" aria-pressed="{pressed}">'
            f'<b>{escape(study.title)}</b><span class="outcome {kind}">{escape(words)}</span>'
            f"<span>{escape(study.claim)}</span></button></li>"
        )
    return f'<ul class="studies" aria-label="Studies">{"".join(items)}</ul>'


def lead(study: Study, found: Studied | None) -> str:
    """The question, the claim, the verdict and the two sentences."""
    words, kind = outcome(found)
    top = f'<h2>{escape(study.question)}</h2><p class="lead">The report says: {escape(study.claim)} '
    top += f'<span class="outcome {kind}">{escape(words)}</span></p>'
    if found is None or not found.rows:
        return top + markup.note(
            "It has not been run. One command runs it, and goes on where it was stopped:", "summary"
        )
    if not found.whole:
        return top + markup.note("Not all of its runs are done: what follows may change.", "summary")
    return top + "".join(markup.note(sentence, "summary") for sentence in found.conclusion.sentences)


def numbers(found: Studied) -> str:
    """A row a variant: means over seeds with their intervals, and what was timed."""
    names = [v for v in (*found.study.variants, REAL) if any(line.variant == v for line in found.lines)]
    columns = [m for m in COLUMNS if any(line.metric == m for line in found.lines)]
    timed = [key for key in COSTS if any(cost.get(key) for cost in found.costs.values())]
    head = ["variant", *(METRICS[m].words for m in columns), *(COSTS[key] for key in timed)]
    rows = [
        [name, *(_cell(found, name, m) for m in columns), *(_cost(found, name, key) for key in timed)]
        for name in names
    ]  # fmt: skip
    return markup.table(head, rows, f"The variants of {found.study.title}")


def _cell(found: Studied, name: str, metric: str) -> markup.Cell:
    line = found.line(name, metric)
    if line is None:
        return "–"
    value, mean = shown(line.mean.value, metric), line.mean
    if mean.low is None or mean.low == mean.high:
        return value
    return value, f"{shown(mean.low, metric)} to {shown(mean.high, metric)}"


def _cost(found: Studied, name: str, key: str) -> str:
    value = found.costs.get(name, {}).get(key)
    return "–" if value is None else f"{value:.1f}"


def pictures(found: Studied) -> str:
    """The first forty digits of each variant, side by side: the same labels and noise."""
    drawn = [(name, png) for name, png in found.pictures.items()][:MOST_PICTURES]
    if not drawn:
        return ""
    items = "".join(
        f'<li><img class="pixels" src="{sprites.data_uri(png)}" alt="Forty digits: {escape(name)}" '
        f'width="280" height="112"><span class="caption">{escape(name)}</span></li>'
        for name, png in drawn
    )
    note = "The first forty digits of the first seed: the same labels and the same noise in every variant."
    return f'<h2>Their digits</h2>{markup.note(note)}<ul class="variants">{items}</ul>'


def command(study: Study) -> str:
    return markup.copyable(f"python -m app study {study.name}", "Copy the command")
