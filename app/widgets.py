"""What several tabs share: the guard around handlers, pickers, and HTML that answers to a click."""

import functools
import inspect
import logging
from collections.abc import Callable
from html import escape
from typing import NamedTuple

import gradio as gr

from app.entries import Entry, usable
from app.scripts import COPY
from app.store import Store
from diffusion_core.errors import UserError

LANE = {"concurrency_id": "compute", "concurrency_limit": 1}  # every heavy listener waits in this one queue
# Values reach the handlers as the browser sent them: they are the one place that judges a value. Gradio's own
# checks let NaN and broken steps through, echo what was sent at any length, and log a traceback each.
QUIET = {"api_visibility": "private", "show_progress": "hidden", "preprocess": False}
UNEXPECTED = "That did not work, and it is not your fault. Reload the page and try again."


def guarded(store: Store, handler: Callable) -> Callable:
    """`handler` with every error turned into one line in the browser; the details go to the server's log.

    Works for functions and for generators. The signature is kept, because gradio reads it.
    """

    def refused(error: Exception) -> gr.Error:
        if isinstance(error, gr.Error):
            return error
        if isinstance(error, UserError):
            line = "".join(c for c in store.explain(error) if c.isprintable())
            return gr.Error(escape(line, quote=False), print_exception=False)
        logging.getLogger(__name__).exception("A handler failed", exc_info=error)
        return gr.Error(UNEXPECTED, print_exception=False)

    @functools.wraps(handler)
    def function(*args, **kwargs):
        try:
            return handler(*args, **kwargs)
        except Exception as error:
            raise refused(error) from None

    @functools.wraps(handler)
    def generator(*args, **kwargs):
        try:
            yield from handler(*args, **kwargs)
        except Exception as error:
            raise refused(error) from None

    return generator if inspect.isgeneratorfunction(handler) else function


class Tab(NamedTuple):
    """What `build.py` needs of a tab: `show(*values of settings)` fills `outputs`, a link fills `settings`."""

    settings: list
    outputs: list
    show: Callable
    opened: Callable  # View -> one value or update for each of `settings`
    heavy: bool = False  # whether `show` draws images, so that it has to wait in the one queue for that
    stop: gr.Button | None = None  # ends what opening the tab began, where that takes long


def choices(entries: list[Entry]) -> list[tuple[str, str]]:
    """(shown, value) pairs for a dropdown; a damaged one stays listed and says what is wrong with it."""
    return [(e.title if e.problem is None else f"{e.title}: unavailable: {e.problem}", e.key) for e in entries]


def first(entries: list[Entry]) -> str | None:
    """The key that a picker starts with."""
    return next((entry.key for entry in usable(entries)), None)


def picker(entries: list[Entry], label: str, **options) -> gr.Dropdown:
    """A dropdown over entries, with the first usable one chosen."""
    return gr.Dropdown(choices(entries), value=first(entries), label=label, filterable=False, **options)


def choose(entries: list[Entry], key: str | None) -> dict:
    """An update of a picker: the choices as they are on disk now, and `key` (or the first) chosen."""
    return gr.update(choices=choices(entries), value=key or first(entries))


def among(offered: list[tuple[str, str]], value: str | None) -> dict:
    """An update of a picker: the (shown, value) pairs that it offers now, and `value` if it is one of them."""
    values = [key for _, key in offered]
    return gr.update(choices=offered, value=value if value in values else next(iter(values), None))


def picked(event: gr.EventData):
    """What a click in `clickable` HTML named: its `index`, as the browser sent it."""
    try:
        return event.index
    except (AttributeError, TypeError):  # the event came without data, or without this part of it
        return None


def clickable(value: str, script: str = COPY, **options) -> gr.HTML:
    """HTML whose buttons answer: to copy (always), and to what `script` adds."""
    return gr.HTML(value, js_on_load=script, apply_default_css=False, **options)


def still(value: str = "", **options) -> gr.HTML:
    """HTML without scripts."""
    return gr.HTML(value, js_on_load=None, apply_default_css=False, **options)
