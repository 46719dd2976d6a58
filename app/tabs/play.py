"""Play: walk from one class to another, write a date in one hand, draw a poster."""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import gradio as gr

from app import hand, markup, pad_html, scripts
from app.entries import usable
from app.known_classes import known_classes, still_known
from app.links import View
from app.play_request import ALONG, ORDERED, READ, SECTIONS, SIZES, checked
from app.play_view import NO_EXAMPLE, hand_page, poster_pages, walk_page
from app.request import CLASSES, MAX_SEED
from app.store import Store
from app.widgets import LANE, QUIET, Tab, choices, choose, clickable, first, guarded, picker, still
from app.zerogpu import on_gpu
from diffusion_core.noise import MAX_WRITTEN

TITLE = "Play"
TEXT = "17.05.2026"
AWAY = ("along guidance, 0 to 4", ALONG)
STOPPED = "Stopped; what was drawn stays."
SEED, PAIR, OTHER_SEED = 1, ("5", "6"), 3  # a walk that is fun to look at, a hand that is easy to read
DIGITS = [str(d) for d in range(CLASSES)]  # of a text, and of a big one

# A walk plays as soon as it is there, unless its visitor wants things to keep still.
FILM = (
    scripts.FILM
    + """
const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
watch('value', () => { if (!still) element.querySelector('[data-play]')?.click(); });
"""
    + scripts.COPY
)
SAVE = (
    """
element.addEventListener('click', (event) => {
  const save = event.target.closest('[data-save]');
  if (save) save.href = element.querySelector('.poster').src;
});
"""
    + scripts.COPY
)


# ---------------------------------------------------------------- pure


def page(store: Store, *settings) -> Iterator[tuple]:
    """(walk, hand, poster, progress) for the section that is open; None for what stays as it is."""
    if not usable(store.checkpoints()):
        none = markup.note("There is no checkpoint yet. Train one: python -m app train --minutes 5", "empty")
        yield none, none, none, ""
        return
    meta = store.meta(settings[1])
    asked = checked(meta.network.classes, *settings)
    told = asked.section != "poster" and store.judges.lacking(meta.dataset)  # nothing is read in a poster
    if told:
        none = markup.note(told, "problem")
        yield none, none, None, ""
    elif asked.section == "walk":
        yield walk_page(store, asked), None, None, ""
    elif asked.section == "hand":
        yield None, hand_page(store, asked), None, ""
    else:
        for shown, progress in poster_pages(store, asked):
            yield None, None, shown, progress


# ---------------------------------------------------------------- gradio


class Controls(NamedTuple):
    """In the order of `play_request.Settings`."""

    section: gr.Radio
    key: gr.Dropdown
    seed: gr.Number
    one: gr.Dropdown
    other: gr.Dropdown
    other_seed: gr.Number
    text: gr.Textbox
    variation: gr.Slider
    example: gr.HTML
    label: gr.Dropdown
    number: gr.Dropdown
    size: gr.Dropdown


def build(store: Store) -> Tab:
    """The tab's components and how they are filled."""
    section = gr.Radio([(title, key) for key, title in SECTIONS.items()], value="walk", label="Play", elem_id="play")
    with gr.Row(elem_classes="controls"):
        key = picker(store.checkpoints(), "Checkpoint", scale=3)
        seed = gr.Number(value=SEED, precision=0, label="Noise (seed)", scale=1, min_width=120)
        dice = gr.Button("Randomise", size="md", scale=1, min_width=120)
    with gr.Column(elem_id="play-walk") as walk:
        one, other, other_seed = walk_controls(store)
        walk_shown = clickable("", FILM, elem_id="morph")
    with gr.Column(visible=False, elem_id="play-hand") as written:
        text, variation, example, label, hand_shown = hand_controls()
    with gr.Column(visible=False, elem_id="play-poster") as poster:
        number, size, go, stop = poster_controls()
        progress = clickable("", scripts.HALT, elem_id="poster-progress")
        poster_shown = clickable("", SAVE, elem_id="poster")

    controls = Controls(section, key, seed, one, other, other_seed, text, variation, example, label, number, size)
    outputs = [walk_shown, hand_shown, poster_shown, progress]
    draw = on_gpu(guarded(store, partial(page, store)))

    def show(*settings):
        for shown in draw(*settings):
            yield [gr.skip() if part is None else part for part in shown]

    tab = Tab(list(controls), outputs, show, partial(opened, store), heavy=True, stop=stop)

    def parted(chosen):
        return [gr.Column(visible=chosen == name) for name in SECTIONS]

    def of_its_data(chosen, start, end):
        known = known_classes(store, chosen)
        end = end if end == ALONG else still_known(known, end, 1) or ALONG
        start = still_known(known, start, 0)
        return gr.update(choices=known, value=start), gr.update(choices=[*known, AWAY], value=end)

    key.change(guarded(store, of_its_data), [key, one, other], [one, other], **QUIET)
    section.change(parted, section, [walk, written, poster], queue=False, **QUIET)
    at_once = [section.input, key.input, seed.submit, one.input, other.input, other_seed.submit, text.submit]
    at_once += [variation.release, example.input, label.input, number.input, size.input, go.click]
    thrown = dice.click(None, None, seed, js=scripts.DICE, **QUIET)
    running = [
        gr.on(at_once, show, list(controls), outputs, trigger_mode="always_last", **LANE, **QUIET),
        thrown.then(show, list(controls), outputs, **LANE, **QUIET),
    ]
    halted = scripts.stop("poster-progress")
    stop.click(lambda: markup.note(STOPPED), None, progress, queue=False, cancels=running, js=halted, **QUIET)
    return tab


def walk_controls(store: Store) -> tuple[gr.Dropdown, gr.Dropdown, gr.Number]:
    known = known_classes(store, first(store.checkpoints()))
    with gr.Row(elem_classes="controls"):
        one = gr.Dropdown(
            known, value=still_known(known, PAIR[0], 0), label="From class", filterable=False, scale=1, min_width=90
        )
        end = still_known(known, PAIR[1], 1) or ALONG
        other = gr.Dropdown([*known, AWAY], value=end, label="To", filterable=False, scale=1, min_width=90)
        other_seed = gr.Number(value=OTHER_SEED, precision=0, label="Noise at the end (seed)", scale=1, min_width=120)
    return one, other, other_seed


def hand_controls() -> tuple[gr.Textbox, gr.Slider, gr.HTML, gr.Dropdown, gr.HTML]:
    with gr.Row(elem_classes="bench"):
        with gr.Column(scale=0, min_width=300):
            text = gr.Textbox(
                TEXT,
                label=f"Text: digits and {' '.join(hand.SIGNS.strip())}",
                max_length=MAX_WRITTEN,
                info="Enter writes it",
            )
            variation = gr.Slider(
                0, 1, value=hand.VARIATION, step=0.05, label="Variation", info="0: equal digits are copies"
            )
            still(markup.note(NO_EXAMPLE))
            example = gr.HTML("", html_template=pad_html.pad(), js_on_load=pad_html.SCRIPT, apply_default_css=False)
            said = [("as the classifier reads it", READ), *DIGITS]
            label = gr.Dropdown(said, value=READ, label="The digit on the pad", filterable=False)
        with gr.Column(scale=1, min_width=320):
            shown = clickable("", elem_id="hand")
    return text, variation, example, label, shown


def poster_controls() -> tuple[gr.Dropdown, gr.Dropdown, gr.Button, gr.Button]:
    with gr.Row(elem_classes="controls"):
        kinds = [("a column a class, light to dark", ORDERED), *((f"a big {d}", d) for d in DIGITS)]
        number = gr.Dropdown(kinds, value=ORDERED, label="Arranged as", filterable=False, scale=2, min_width=160)
        size = gr.Dropdown(list(SIZES), value="40x25", label="Images", filterable=False, scale=1, min_width=120)
        go = gr.Button("Draw", variant="primary", size="md", scale=1, min_width=120, elem_id="poster-go")
        stop = gr.Button("Stop", variant="stop", size="md", scale=1, min_width=100, elem_id="poster-stop")
    return number, size, go, stop


def opened(store: Store, view: View) -> list:
    """The settings that a link asks for; a drawing is in no link."""
    entries = store.checkpoints()
    if view == View() or view.tab != "play":
        return [gr.skip(), gr.update(choices=choices(entries)), *[gr.skip()] * (len(Controls._fields) - 2)]
    name = (view.a or "").split("/")[0]
    key = name if name in [entry.key for entry in usable(entries)] else first(entries)
    seed = view.seed if view.seed is not None and view.seed <= MAX_SEED else SEED
    section, n, known = view.play or "walk", view.n, known_classes(store, key)
    digits = [str(d) for d in view.digits or () if str(d) in [label for _, label in known]]
    pair = still_known(known, PAIR[0], 0), still_known(known, PAIR[1], 1) or ALONG
    one, other = (digits[0], digits[1]) if len(digits) == 2 else (digits[0], ALONG) if digits else pair
    number = digits[0] if section == "poster" and digits else ORDERED
    sizes = {columns * rows: name for name, (columns, rows) in SIZES.items()}
    other_seed = n if section == "walk" and n is not None and n <= MAX_SEED else OTHER_SEED
    variation = n / 100 if section == "hand" and n is not None and n <= 100 else hand.VARIATION
    size = sizes.get(n, "40x25")
    return [
        section,
        choose(entries, key),
        seed,
        one,
        other,
        other_seed,
        view.text or TEXT,
        variation,
        "",
        READ,
        number,
        size,
    ]
