"""What the Export tab shows: how far a data set is, what was left out and why, the finished set. No gradio."""

from collections import defaultdict
from html import escape
from typing import NamedTuple

from torch import Tensor

from app import markup, sprites
from app.exporting import Job, State
from app.words import plural
from diffusion_core.data import DataSpec
from eval.data_card import JUDGES
from eval.filters import FILTERS
from eval.formats import show, show_estimate
from eval.metrics import Estimate
from eval.synthesis import LeftOut

FEW = 12  # images shown of each reason
SHOWN, COLUMNS = 60, 10  # images of the set in its picture
LARGE = 60_000  # images of the second command: as many as MNIST has to train on


class Sight:
    """What was seen of a set while it was drawn: a few images of each reason, how many there were, and its first."""

    def __init__(self, names: tuple[str, ...], data: DataSpec):
        self.names, self.data = names, data
        self.few: dict[str, list[str]] = defaultdict(list)
        self.counts = dict.fromkeys(names, 0)
        self.first: Tensor | None = None

    def see(self, state: State) -> None:
        if state.round is None:
            return
        self._left_out(state.round.left_out)
        if state.round.block and self.first is None:
            self.first = state.round.block.images[:SHOWN]

    def _left_out(self, out: LeftOut) -> None:
        rows = zip(out.labels.tolist(), out.seeds.tolist(), out.reasons.tolist(), out.values.tolist(), strict=True)
        for row, (label, seed, reason, value) in enumerate(rows):
            name = self.names[reason]
            self.counts[name] += 1
            if len(self.few[name]) < FEW:
                uri = sprites.thumbnails(out.images[row : row + 1])[0]
                said = f"{self.data.class_names[label]}: {_value(name, value)}"
                self.few[name].append(markup.sample(uri, self.data.called(label), seed, (), value=said))


class Finished(NamedTuple):
    """A set as it is taken away: its record, its card, and all of its files in a .zip."""

    job: Job
    record: dict
    card: str
    archive: bytes


def running(state: State, sight: Sight, seconds: float, run: str) -> str:
    """`seconds` have passed since the first image; `run` tells this run from others."""
    left = seconds / state.done * (state.total - state.done) if state.done else None
    text = f"{state.stage} · {state.done:,} of {state.total:,}"
    if state.stage == "drawing" and sight.names:
        text += f" · {sum(sight.counts.values()):,} left out"
    if left is not None and state.done < state.total:
        text += f" · {left:.0f} s left"
    return f'<section class="export">{markup.progress(state.done, state.total, text, run)}{left_out(sight)}</section>'


def finished(found: Finished, sight: Sight) -> str:
    """The set: its numbers, its download, its first images, what was left out, a row a label, its card."""
    record, spec = found.record, found.job.source.checkpoint.spec
    name = f"{spec.nouns}-{record['format']}.zip"
    size = f"{len(found.archive) / 1000:,.0f} kB"
    picture = sprites.data_uri(sprites.png(sprites.sheet(sight.first, COLUMNS, gap=0)))
    shown = plural(len(sight.first), spec.noun)
    return (
        f'<section class="export"><p class="summary" role="status">{escape(told(record, spec))}</p>'
        f'<div class="take"><a class="quiet" download="{name}" '
        f'href="{sprites.data_uri(found.archive, "application/zip")}">Download {name}, {size}</a></div>'
        f'<img class="pixels first" src="{picture}" alt="The first {shown} of the set">'
        f"{left_out(sight)}<h2>Class by class</h2>{labels(record, spec)}"
        f"<p class='note'>The same from the command line:</p>{_command(found.job, record['count'])}"
        f"<p class='note'>As many as MNIST has to train on:</p>{_command(found.job, LARGE)}"
        f'<details><summary>The data card</summary><pre tabindex="0">{escape(found.card)}</pre></details></section>'
    )


def told(record: dict, spec: DataSpec) -> str:
    """The set in two sentences, with what the judges read in real test images beside it."""
    drawn = sum(row["tried"] for row in record["labels"])
    left = drawn - record["count"]
    first = f"{plural(record['count'], spec.noun)}" + (f" of {drawn:,} drawn; {left:,} were left out." if left else ".")
    said = []
    for judge, name in (("classifier", "classifier"), ("second", "second classifier")):
        ours, real = (Estimate(**record["scores"][judge][key]) for key in ("overall", "real"))
        said.append(f"the {name} reads {show_estimate(ours)} right (real test images: {show(real.value, places=2)})")
    return f"{first} {said[0][0].upper()}{said[0][1:]}, {said[1]}."


def left_out(sight: Sight) -> str:
    """The first few images that each filter refused; nothing without filters."""
    parts = []
    for name in sight.names:
        count = sight.counts[name]
        if count:
            which = "" if count <= FEW else f", the first {FEW} of them"
            head = f"{FILTERS[name].title}: {plural(count, 'image')} left out{which}"
            parts.append(f"<h2>{escape(head)}</h2>{markup.samples(sight.few[name], head)}")
    return "".join(parts)


def labels(record: dict, spec: DataSpec) -> str:
    """A row a class: images, drawn, left out by filter, read right by each judge."""
    filters = list(record["filters"])
    heads = ("class", "images", "drawn", *(f"left out: {FILTERS[f].short}" for f in filters), "classifier", "second")
    rows = []
    for label, row in enumerate(record["labels"]):
        if row["tried"]:
            counts = [row["delivered"], row["tried"], *(row["left_out"][f] for f in filters)]
            read = [_estimate(record["scores"][judge]["per_class"][label]) for judge in JUDGES]
            rows.append((spec.class_names[label], *(f"{n:,}" for n in counts), *read))
    real = [_estimate(record["scores"][judge]["real"]) for judge in JUDGES]
    rows.append(("real test images", *["–"] * (2 + len(filters)), *real))
    return markup.table(heads, rows, "The data set, class by class")


def _estimate(entry: dict) -> markup.Cell:
    """The value, and its interval in smaller print."""
    value, _, interval = show_estimate(Estimate(**entry)).partition(" [")
    return (value, f"[{interval}") if interval else value


def _value(name: str, value: float) -> str:
    return f"{value:.2f}{FILTERS[name].unit and ' ' + FILTERS[name].unit}"


def _command(job: Job, count: int) -> str:
    return markup.copyable(job.command(count), f"Copy the command for {count:,} images")
