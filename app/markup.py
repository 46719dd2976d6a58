"""Pieces of HTML as strings: tiles, cards, notes, tables. Every text is escaped here. No gradio."""

from collections.abc import Sequence
from html import escape

from app.sprites import side
from app.verdicts import Verdict
from app.words import JUDGES, LETTERS, SHORT, probability

TILE = 56  # pixels of the screen that an image is about as large as, in lists


def note(text: str, kind: str = "note") -> str:
    """A quiet paragraph. `kind` is "note", "empty", "problem" or "summary"."""
    return f'<p class="{kind}">{escape(text)}</p>'


def image(uri: str, alt: str) -> str:
    """An image (data URI) with what it is; lists show each of its pixels as a whole number of the screen's."""
    size = side(uri)
    tile = size * whole_times(size, TILE)
    return (
        f'<img class="pixels" src="{uri}" alt="{escape(alt)}" width="{size}" height="{size}" '
        f'style="--tile-px:{tile}px">'
    )


def whole_times(size: int, wanted: int) -> int:
    """How many times as large `size` pixels are shown to be about `wanted`: at least once."""
    return max(1, round(wanted / size))


def verdict_line(verdict: Verdict) -> str:
    """ "✓ Classifier 5 · 99 %": right and wrong differ in sign, in words and in colour."""
    kind, sign, spoken = ("right", "✓", "reads") if verdict.right else ("wrong", "✗", "misreads it as")
    kind += " worded" * (len(verdict.read) > LETTERS)
    name = JUDGES[verdict.judge]
    says = f"{name} {spoken} {verdict.read}, probability {probability(verdict.p_judged)}"
    return (
        f'<span class="verdict {kind}"><span class="visually-hidden">{escape(says)}</span>'
        f'<span aria-hidden="true"><i>{sign}</i> {SHORT[verdict.judge]} <b>{escape(verdict.read)}</b> '
        f"<em>{probability(verdict.p_judged)}</em></span></span>"
    )


def sample(
    uri: str, name: str, seed: int, verdicts: Sequence[Verdict], seed_name: str = "seed", value: str = ""
) -> str:
    """A thumbnail with its verdicts and perhaps a value: one item of a `samples` list. `name`: what it should show."""
    lines = "".join(verdict_line(v) for v in verdicts)
    wrong = "" if all(v.right for v in verdicts) else " wrong"
    worded = " worded" if any(len(v.read) > LETTERS for v in verdicts) else ""
    shown = f"<b>{escape(value)}</b>" if value else ""
    return (
        f'<li class="sample{wrong}{worded}">{image(uri, f"{name}, {seed_name} {seed}")}'
        f'<span class="caption"><span class="seed">{seed_name} {seed}</span>{shown}{lines}</span></li>'
    )


def samples(items: Sequence[str], title: str) -> str:
    return f'<ul class="samples" aria-label="{escape(title)}">{"".join(items)}</ul>'


def pager(page: int, pages: int) -> str:
    """Buttons to the pages before and after, nothing if there is one page only; `page` counts from 0."""
    if pages < 2:
        return ""
    before = f'<button type="button" class="quiet" data-page="{page - 1}"{"" if page else " disabled"}>Before</button>'
    end = " disabled" if page == pages - 1 else ""
    after = f'<button type="button" class="quiet" data-page="{page + 1}"{end}>More</button>'
    return f'<nav class="pager" aria-label="Pages">{before}<span>page {page + 1} of {pages}</span>{after}</nav>'


def film_bar(texts: Sequence[str], at: int, label: str, pause: int) -> str:
    """A play button and a slider over a film (scripts.FILM): a text a frame, the frame it starts at, milliseconds."""
    return (
        '<div class="bar"><button type="button" class="quiet" data-play>Play</button>'
        f'<input type="range" class="scrub" min="0" max="{len(texts) - 1}" value="{at}" data-pause="{pause}" '
        f'data-texts="{escape("|".join(texts))}" aria-label="{escape(label)}">'
        f'<output class="level" aria-live="off">{escape(texts[at])}</output></div>'
    )


def progress(done: int, total: int, text: str, run: str = "") -> str:
    """A bar of what is done, with words beside it; `run` tells this run from others (`scripts.HALT`)."""
    bar = f'<progress max="{total}" value="{done}" aria-label="{escape(text)}"></progress>'
    of = f' data-run="{escape(run)}"' if run else ""
    return f'<div class="bar"{of}>{bar}<output class="level" aria-live="off">{escape(text)}</output></div>'


Cell = str | tuple[str, str]  # a value, or a value with smaller print below it


def table(head: Sequence[str], rows: Sequence[Sequence[Cell]], caption: str) -> str:
    """A table whose first column names the row; it scrolls sideways within itself on a narrow screen."""
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>' + "".join(f"<td>{_cell(cell)}</td>" for cell in row[1:]) + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll" role="region" aria-label="{escape(caption)}" tabindex="0"><table class="numbers">'
        f'<caption class="visually-hidden">{escape(caption)}</caption>'
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(cell: Cell) -> str:
    return escape(cell) if isinstance(cell, str) else f"{escape(cell[0])}<small>{escape(cell[1])}</small>"


def link_button(link: str) -> str:
    """A button that copies the address of this view; `link` begins with "?"."""
    return f'<button type="button" class="quiet" data-link="{escape(link)}">Copy link to this view</button>'


def copyable(text: str, label: str) -> str:
    """A line of code with a button that copies it."""
    return (
        f'<div class="command"><code>{escape(text)}</code><button type="button" class="quiet" '
        f'data-copy="{escape(text)}" aria-label="{escape(label)}">Copy</button></div>'
    )
