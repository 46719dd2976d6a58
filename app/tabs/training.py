"""Training: the curves of every run, and what its images looked like on the way."""

from functools import partial
from html import escape

import gradio as gr
import numpy as np

from app import classes, curves, links, markup, outlook, runs, scripts, sprites
from app.colours import colours
from app.entries import usable
from app.links import View
from app.request import amount
from app.store import Store
from app.widgets import QUIET, Tab, choices, clickable, first, guarded, still
from diffusion_core.errors import UserError

TITLE = "Training"
MOST_RUNS = 4
SMOOTHING = 0.6  # at first: more hides the fall of the first thousands of images
REFRESH = 5.0  # seconds, while a shown run is going on
AHEAD = {"accuracy": ("images read right (%)", 100, ".1f"), "fd": ("Frechet distance", 1, ".2f")}  # what is foretold


# ---------------------------------------------------------------- pure


def chosen(store: Store, keys) -> list[runs.Run]:
    """The runs to show. `UserError` for none, too many, one that is not on offer, or several data sets."""
    if not isinstance(keys, list | tuple) or not keys:
        raise UserError("Choose at least one run.")
    if len(keys) > MOST_RUNS:
        raise UserError(f"Choose at most {MOST_RUNS} runs at a time.")
    found = [store.run(key) for key in keys]
    if len(sets := datasets(store, keys)) > 1:
        raise UserError(f"These runs are of different data sets: {' and '.join(sets)}. Choose runs of one of them.")
    return found


def datasets(store: Store, keys) -> list[str]:
    """The data sets that runs say they are of, each once."""
    return list(dict.fromkeys(entry.dataset for entry in store.runs() if entry.key in keys and entry.dataset))


def about(run: runs.Run, store: Store) -> tuple:
    """A row of the table: what was trained, how long, and where it stands."""
    seconds, loss = run.columns["seconds"], run.columns["loss"]
    rate = run.images / seconds[-1] if seconds[-1] else 0.0
    state = "going on" if run.going_on else "finished or stopped"
    last = runs.smoothed(loss, 0.9)[-1]
    made_of = store.made_of(run.name)
    return run.name, f"{run.images:,}", f"{seconds[-1] / 60:.1f}", f"{rate:,.0f}", f"{last:.4f}", state, made_of


def grids(found: list[runs.Run]) -> str:
    """One film a run and a slider for all of them, over the numbers of images at which any made a grid."""
    found = [run for run in found if run.grids]
    if not found:
        return markup.note("These runs kept no pictures.", "empty")
    thresholds = sorted({images for run in found for images, _ in run.grids})
    pictures = []
    for run in found:
        film = runs.film(run, thresholds)
        height, width = film[0].shape[:2]
        uri = sprites.data_uri(sprites.png(np.concatenate(film)))
        pictures.append(
            f'<figure class="grid-film" style="--w:{width};--h:{height}"><div class="window">'
            f'<img class="pixels" src="{uri}" alt="Images of {escape(run.name)} after so many images seen"></div>'
            f"<figcaption>{escape(run.name)}</figcaption></figure>"
        )
    last = len(thresholds) - 1
    texts = ["untrained" if n == 0 else f"{n:,} images" for n in thresholds]
    bar = markup.film_bar(texts, last, "Images seen", 700)
    return (
        f'<section class="training-film" style="--frames:{last + 1};--last:{last}">{bar}'
        f'<div class="films">{"".join(pictures)}</div></section>'
    )


def page(store: Store, keys, shown, smoothing, log_x) -> tuple:
    """Figure, table, pictures, words, and whether to look again soon. `UserError` for a bad choice."""
    if not usable(store.runs()):
        return None, "", markup.note("There is no run yet. Start one: python -m app train --minutes 5", "empty"), ""
    if shown not in tuple(curves.SHOWN):
        raise UserError("Choose the curve from what is offered.")
    smoothing = amount(smoothing, "Smoothing", 0, 0.99)
    found = chosen(store, keys)
    figure = curves.training(found, colours(store), shown, smoothing, log_x is True, names(store, found))
    head = ("run", "images", "minutes", "images/s", "loss now", "state", "made of")
    table = markup.table(head, [about(run, store) for run in found], "The runs shown")
    if silent := [run.name for run in found if not curves.has(run, shown)]:
        table = markup.note(f"Nothing of this kind is on record for {' and '.join(silent)}.") + table
    table += "".join(markup.note(text) for run in found if (text := ahead(run, shown)))
    link = markup.link_button(links.write(tab="training", runs=tuple(run.name for run in found), curve=shown))
    return figure, table, grids(found), link


def ahead(run: runs.Run, shown: str) -> str:
    """What more training would give, in words; "" where the curve does not say, or a reward was followed."""
    if shown not in AHEAD or np.isfinite(run.columns["reward"]).any():
        return ""
    said = outlook.outlook(run.looks, shown)
    name, scale, form = AHEAD[shown]
    return outlook.sentences(said, f"{run.name}: {name}", scale, form) if said else ""


def names(store: Store, found: list[runs.Run]) -> tuple[str, ...]:
    """What the classes that judges looked at are called; nothing where nobody looked."""
    looks = next((run.looks for run in found if run.looks), ())
    dataset = next(iter(datasets(store, [run.name for run in found])), "")
    found = classes.names(dataset, len(looks[0].get("per_class", ()))) if looks else ()
    return tuple(classes.called(name, dataset) for name in found)


def alive(store: Store, keys) -> bool:
    """Whether a shown run is being written to."""
    try:
        return any(run.going_on for run in chosen(store, keys))
    except UserError:
        return False


# ---------------------------------------------------------------- gradio

WHAT = (
    "Always the same labels and noise, drawn by the averaged weights at 1,000, 2,000, 5,000 … images: "
    "what changes is the network alone."
)


def build(store: Store) -> Tab:
    """The tab's components and how they are filled."""
    entries = store.runs()
    with gr.Row(elem_classes="controls"):
        keys = gr.Dropdown(
            choices(entries), value=default(store), multiselect=True, label="Runs", filterable=False, scale=3
        )
        curve = gr.Dropdown([(title, key) for key, title in curves.SHOWN.items()], value="loss", label="Curve",
                            filterable=False, scale=2)  # fmt: skip
        smoothing = gr.Slider(0, 0.99, value=SMOOTHING, step=0.01, label="Smoothing", scale=2)
        log_x = gr.Checkbox(value=True, label="Log axis", scale=1, min_width=120, elem_classes="lone")
    figure = gr.Plot(show_label=False, container=False)
    table = still()
    still(f"<h2>From noise to images</h2>{markup.note(WHAT)}", elem_classes="words")
    films = clickable("", scripts.FILM, elem_id="films")
    link = clickable("", elem_classes="words")
    clock = gr.Timer(REFRESH, active=False)
    settings = [keys, curve, smoothing, log_x]

    def show(*values):
        return *page(store, *values), gr.Timer(active=alive(store, values[0]))

    tab = Tab(settings, [figure, table, films, link, clock], guarded(store, show), partial(opened, store))
    for control in (keys, curve, log_x):
        control.input(tab.show, tab.settings, tab.outputs, **QUIET)
    smoothing.release(tab.show, tab.settings, tab.outputs, **QUIET)
    clock.tick(tab.show, tab.settings, tab.outputs, **QUIET)
    return tab


def default(store: Store) -> list[str]:
    """The runs that the tab starts with: the first one."""
    key = first(store.runs())
    return [key] if key else []


def opened(store: Store, view: View) -> list:
    """The settings that a link asks for."""
    known = [entry.key for entry in usable(store.runs())]
    keys = [key for key in view.runs or () if key in known][:MOST_RUNS] or default(store)
    curve = view.curve or "loss"
    return [gr.update(choices=choices(store.runs()), value=keys), curve, SMOOTHING, True]
