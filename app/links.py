"""The address of a view: "?tab=confusion&a=mnist&cell=5,6". Reading never fails; what is odd is left out."""

from collections.abc import Container, Mapping
from typing import NamedTuple
from urllib.parse import urlencode

from app.curves import SHOWN
from app.inspection import ORDERS
from app.matrix import KINDS
from app.play_request import SECTIONS
from app.words import JUDGES, METRICS
from diffusion_core.noise import MAX_WRITTEN
from eval.studies import STUDIES

MAX_LENGTH = 1000  # of one value: six reports by their full names
LONGEST = 20  # digits of a number


class View(NamedTuple):
    """What a link asks to see; None = not said. `a` and `b` name a checkpoint or a report."""

    tab: str | None = None
    a: str | None = None
    b: str | None = None
    cell: tuple[int, int] | None = None
    judge: str | None = None
    metric: str | None = None
    digits: tuple[int, ...] | None = None
    n: int | None = None
    seed: int | None = None
    runs: tuple[str, ...] | None = None
    curve: str | None = None
    order: str | None = None
    write: str | None = None
    kind: str | None = None
    reports: tuple[str, ...] | None = None
    real: int | None = None
    damage: str | None = None
    play: str | None = None
    text: str | None = None
    study: str | None = None


def read(params: Mapping[str, str], tabs: Container[str]) -> View:
    """Query parameters -> the view they name, in one of `tabs`."""
    text = {key: str(value) for key, value in params.items() if len(str(value)) <= MAX_LENGTH}
    cell = _numbers(text.get("cell"))
    return View(
        tab=_among(text.get("tab"), tabs),
        a=text.get("a"),
        b=text.get("b"),
        cell=cell if cell and len(cell) == 2 else None,
        judge=_among(text.get("judge"), JUDGES),
        metric=_among(text.get("metric"), METRICS),
        digits=_numbers(text.get("digits")),
        n=_number(text.get("n")),
        seed=_number(text.get("seed")),
        runs=tuple(text["runs"].split(",")) if text.get("runs") else None,
        curve=_among(text.get("curve"), SHOWN),
        write=text["write"] if _number(text.get("write")) is not None and len(text["write"]) <= MAX_WRITTEN else None,
        order=_among(text.get("order"), ORDERS),
        kind=_among(text.get("kind"), KINDS),
        reports=tuple(text["reports"].split(",")) if text.get("reports") else None,
        real=_number(text.get("real")),
        damage=text.get("damage"),
        play=_among(text.get("play"), SECTIONS),
        text=text["text"] if 0 < len(text.get("text", "")) <= MAX_WRITTEN else None,
        study=_among(text.get("study"), STUDIES),
    )


def write(**parts) -> str:
    """The link to a view; parts that are None are left out, tuples are joined with commas."""
    said = {key: value for key, value in parts.items() if value is not None}
    pairs = {k: ",".join(map(str, v)) if isinstance(v, tuple) else v for k, v in said.items()}
    return "?" + urlencode(pairs, safe=",/")


def _among(value: str | None, known) -> str | None:
    return value if value in known else None


def _number(text: str | None) -> int | None:
    return int(text) if text and len(text) <= LONGEST and text.isascii() and text.isdigit() else None


def _numbers(text: str | None) -> tuple[int, ...] | None:
    numbers = [_number(part) for part in text.split(",")] if text else [None]
    return None if None in numbers else tuple(numbers)
