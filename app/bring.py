"""A visitor's own samples, or a checkpoint from the Hub, judged and compared as B: the controls of the Compare tab."""

import time
from collections.abc import Iterator
from functools import partial
from html import escape
from pathlib import Path

import gradio as gr
from gradio.utils import get_upload_folder

from app import classes, hub, markup, own_samples, scripts
from app.entries import alike
from app.shelf import is_own
from app.store import Store
from app.widgets import LANE, QUIET, choices, clickable, guarded, still
from app.words import plural
from diffusion_core.errors import UserError
from eval.by_image import by_image
from eval.narrow import narrowed
from eval.report import Report
from eval.sources import ImageSource

TITLE = "Your own samples, or a checkpoint from the Hub"
MOST = 50  # images of each class that a checkpoint draws
DEADLINE = 300.0  # seconds one request may compute
HINT = (
    f"An .npz file with images, labels and perhaps seeds, or a .zip of images in a folder a class: at most 2 MB and "
    f"{own_samples.MAX_IMAGES:,} images of the size of A's. From the Hub, checkpoint.json and model.safetensors are "
    f"fetched, at most 20 MB, and up to {MOST} of each class are drawn on the labels and seeds of A. Every image is "
    "judged; distances between sets are not measured here. The result is kept for an hour, in memory alone, and nobody "
    "else sees it."
)


# ---------------------------------------------------------------- pure


def pair(store: Store, key_a, key_b) -> tuple[Report, Report]:
    """The reports of A and B. Beside a visitor's own B, A is cut down to the same labels and seeds if it has them."""
    a, b = store.report(key_a), store.report(key_b)
    return (narrowed(a, b) if is_own(key_b) else a), b


def run(store: Store, key_a, file, repository) -> Iterator[tuple[str, dict]]:
    """(progress as HTML, update of B) again and again; the last one chooses the new report."""
    start, a = time.monotonic(), store.report(key_a)
    name = f"{start:.6f}"
    path, repository = uploaded(file), repository.strip() if isinstance(repository, str) else ""
    if bool(path) == bool(repository):
        raise UserError("Give a file or a repository, one of them.")
    yield markup.progress(0, 1, "Fetching …" if repository else "Reading …", name), gr.skip()
    dataset = a.source.dataset
    if repository:
        source, plan = hub.fetched(repository), drawn_plan(a)
    else:
        source, plan = own_samples.opened(path, dataset), (None, 0)
    if source.info.dataset != dataset:
        raise UserError(f"{source.name} is of the data set {source.info.dataset}, and A of {dataset}.")
    scorers = store.judges.scorers(dataset)
    if {scorer.id for scorer in scorers} != set(a.scorers):
        raise UserError("A was scored by other judges than the ones here. Choose another report as A.")
    for part in by_image(source, scorers, *plan):
        if time.monotonic() - start > DEADLINE:
            raise UserError(f"This took more than {DEADLINE:.0f} seconds and was stopped. Give fewer images.")
        half = "Drawing" if repository and part.done < part.total // 2 else "Judging"
        yield markup.progress(part.done, part.total, f"{half} {source.name}", name), gr.skip()
    told = f"B is {source.info.given}, {_counted(part.report)}."
    mine = (f"yours: {title(source, part.report)}", store.shelf.put(part.report))
    yield _line(told), gr.update(choices=[mine, *choices(alike(store.reports(), dataset))], value=mine[1])


def title(source: ImageSource, report: Report) -> str:
    return f"{source.name} · {_counted(report)}"


def _counted(report: Report) -> str:
    return plural(len(report.table), classes.noun(report.source.dataset))


def drawn_plan(a: Report) -> tuple[int, int]:
    """(images of each class, first seed): the beginning of A's plan where A was drawn, too."""
    if a.source.kind != "checkpoint":
        return MOST, 0
    return min(a.plan["per_class"], MOST), a.plan["seed"]


def uploaded(file) -> Path | None:
    """The file that a visitor uploaded; None without one. What does not lie where uploads lie is none."""
    path = Path(file["path"]).resolve() if isinstance(file, dict) and isinstance(file.get("path"), str) else None
    if path and not (path.is_relative_to(Path(get_upload_folder()).resolve()) and path.is_file()):
        raise UserError("The file is no longer here. Give it again.")
    return path


def _line(text: str) -> str:
    return f'<p class="summary" role="status">{escape(text)}</p>'


# ---------------------------------------------------------------- gradio


def build(store: Store, a: gr.Dropdown, b: gr.Dropdown):
    """The controls. Returns the event after whose success B is the visitor's own."""
    with gr.Accordion(TITLE, open=False, elem_id="bring"):
        still(f'<p class="note">{escape(HINT)}</p>')
        with gr.Row(elem_classes="controls"):
            file = gr.File(
                label="Samples (.npz or .zip)", file_types=list(own_samples.SUFFIXES), height=140, min_width=260
            )
            repository = gr.Textbox(
                label="… or a repository of the Hub", placeholder="owner/name", max_length=200, min_width=260
            )
        with gr.Row(elem_classes="go-row"):
            go = gr.Button("Judge and compare as B", variant="primary", elem_id="bring-go")
            stop = gr.Button("Stop", variant="stop", visible=False, elem_id="bring-stop")
        told = clickable("", scripts.HALT, elem_id="bring-told")

    def occupied():
        return gr.Button(visible=False), gr.Button(visible=True), markup.progress(0, 1, "Waiting …")

    def ready():
        return gr.Button(visible=True), gr.Button(visible=False)

    def ended():
        return *ready(), ""

    outcome = {"outputs": [go, stop, told], "queue": False, **QUIET}
    busy = gr.on([go.click, repository.submit], occupied, None, **outcome)
    running = busy.then(guarded(store, partial(run, store)), [a, file, repository], [told, b], **LANE, **QUIET)
    done = running.success(ready, None, [go, stop], queue=False, **QUIET)
    running.failure(ended, None, **outcome)
    # A cancelled run is a failed one, whose end brings Judge back: before that it would be pressed in vain.
    stop.click(None, cancels=[running], js=scripts.stop("bring-told"), **QUIET)
    return done
