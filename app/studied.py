"""A study as it lies on disk, whole or as far as it is. No gradio."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from app.studying import COSTS, picture, read_rows
from diffusion_core.errors import UserError
from eval.studies import study
from eval.study import REAL, Study, jobs
from eval.study_table import Line, by_seed, over_seeds, table
from eval.study_verdict import Conclusion


class Studied(NamedTuple):
    """`lines`: the table, real digits last; `costs`: {variant: {"step_ms", "digit_ms"}}; `pictures`: {variant: PNG}."""

    study: Study
    rows: list[dict]
    lines: list[Line]
    conclusion: Conclusion
    costs: dict[str, dict]
    pictures: dict[str, bytes]

    @property
    def whole(self) -> bool:
        return len(self.rows) >= len(jobs(self.study))

    def line(self, variant: str, metric: str) -> Line | None:
        return next((line for line in self.lines if line[:2] == (variant, metric)), None)

    @property
    def metrics(self) -> list[str]:
        """Those that some variant has, the study's own first."""
        found = dict.fromkeys(line.metric for line in self.lines)
        return [m for m in (self.study.metric, *(m for m in found if m != self.study.metric)) if m in found]


def read(folder: Path) -> Studied:
    """The study in `folder`, which bears its name; `UserError` where it is damaged."""
    one, rows = study(folder.name), read_rows(folder)
    try:
        lines = table(rows, [*one.variants, REAL])
        costs = [json.loads(line) for line in _text(folder / COSTS).splitlines()]
        pictures = {name: folder / picture(name) for name in (*one.variants, REAL)}
        return Studied(
            one,
            rows,
            lines,
            one.conclude(rows),
            {cost["variant"]: cost for cost in costs},
            {name: path.read_bytes() for name, path in pictures.items() if path.is_file()},
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"The study {folder.name} is damaged ({type(error).__name__}). Run it again.") from None


def _text(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


def over_looks(rows: Sequence[dict], digit: int, metric: str) -> list[tuple[int, float]]:
    """(images seen, mean over seeds of one digit's score) at every look of the runs."""
    found: dict[int, list[float]] = {}
    for row in rows:
        for look in [*row.get("looks", ()), row] if row.get("looks") else ():
            found.setdefault(look["images"], []).append(look["per_class"][str(digit)][metric])
    return [(images, sum(values) / len(values)) for images, values in sorted(found.items())]


def learning(rows: Sequence[dict], variant: str) -> list[tuple[int, float]]:
    """(images seen, training loss) of a variant, a mean over its seeds where all have a number."""
    curves = [row["curve"] for row in rows if row["variant"] == variant and row.get("curve")]
    points = zip(*curves, strict=False)
    whole = [point for point in points if all(p[1] is not None for p in point)]
    return [(point[0][0], sum(p[1] for p in point) / len(point)) for point in whole]


def fell(rows: Sequence[dict], variant: str) -> str:
    """ "diverged, 2 of 3, step 14" where runs of a variant did; "" where none."""
    runs = [row for row in rows if row["variant"] == variant]
    steps = over_seeds(list(by_seed(rows, variant, "diverged").values()))
    return f"diverged, {steps.n} of {len(runs)}, step {steps.value:.0f}" if steps.n else ""
