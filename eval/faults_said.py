"""The sentences about faults, and the words for who has them and who says so."""

from collections.abc import Callable, Sequence

from eval.faults import Fault
from eval.faults_shape import MEASURES
from eval.faults_variety import PREFIX, ZERO
from eval.summary import JUDGES

NAMES = dict(zip(JUDGES, ("the classifier", "the second classifier", "the nearest neighbours", "CLIP"), strict=True))


def say_swapped(pair: tuple[int, int], there: Fault, back: Fault, names: Sequence[str]) -> str:
    a, b = (names[label] for label in pair)
    one, other = (_percent(f.values[f.judges[0]][0]) for f in (there, back))
    return f"{a} and {b} are swapped: {a} is read as {b} in {one} of its images, {b} as {a} in {other} {_sayers(there)}"


def say_confused(pair: tuple[int, int], f: Fault, names: Sequence[str]) -> str:
    a, b = (names[label] for label in pair)
    own, real = map(_percent, f.values[f.judges[0]])
    return f"{a} is read as {b} in {own} of its images, in {real} of the real ones {_sayers(f)}"


def say_wrong(f: Fault) -> str:
    own, real = map(_percent, f.values[f.judges[0]])
    return f"often wrong, only {own} are read as the class asked for, of real images {real} {_sayers(f)}"


def say_repeated(f: Fault) -> str:
    return f"the same images again and again, {f.n - f.spoiled:,} among {f.n:,}"


def say_collapsed(f: Fault) -> str:
    return f"collapsed to a few images, {_variety(f)} {_sayers(f)}"


def say_less_varied(f: Fault) -> str:
    return f"less varied than real images, {_variety(f)} {_sayers(f)}"


def say_empty(f: Fault) -> str:
    return f"{_of(f)} are blank"


def say_constant(f: Fault) -> str:
    return f"{_of(f)} are one flat grey"


def say_copied(f: Fault) -> str:
    real = _percent(f.values["memorised"][1])
    return f"{_of(f)} are as near to a training image as a copy, {real} of real test images"


def say_disagreement(f: Fault) -> str:
    own, real = map(_percent, f.values["disagreement"])
    return f"the judges disagree on {own} of the images, on {real} of real images"


def say_shape(m: str, more: bool) -> Callable[[Fault], str]:
    words = MEASURES[m][2 + more]

    def say(f: Fault) -> str:
        own, real = (f"{value:.3g}{MEASURES[m].unit}" for value in f.values[m])
        return f"{words}, {own} against {real} for real images"

    return say


def who(labels: tuple[int, ...], scopes: int, names: Sequence[str]) -> str:
    if not labels:
        return "All images"
    return "All classes" if 1 < len(labels) == scopes else _and([names[label] for label in labels])


def _variety(f: Fault) -> str:
    """The first metric of the first judge that says so."""
    metric = next(m for m in ZERO if PREFIX[f.judges[0]] + m in f.values)
    own, real = f.values[PREFIX[f.judges[0]] + metric]
    if metric == "vendi":
        return f"Vendi score {own:.3g} against {real:.3g}"
    return f"recall {_percent(own)} against {_percent(real)}"


def _sayers(f: Fault) -> str:
    """ "(so say the classifier and CLIP, but not the nearest neighbours)"."""
    others = f", but not {_and([NAMES[j] for j in f.others])}" if f.others else ""
    verb = "says" if len(f.judges) == 1 and f.judges[0] != "knn" else "say"
    return f"(so {verb} {_and([NAMES[j] for j in f.judges])}{others})"


def _of(f: Fault) -> str:
    return f"{f.spoiled:,} of {f.n:,} images"


def _and(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _percent(share: float) -> str:
    return f"{100 * share:.{3 if share >= 0.1 else 2}g} %"
