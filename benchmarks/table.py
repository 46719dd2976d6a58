"""The tables of docs/evaluation.md: every metric of the shipped reports, beside real test digits.

python -m benchmarks.table            print them
python -m benchmarks.table --write    put them into the document
"""

import argparse

from diffusion_core.checkpoint import read_meta
from diffusion_core.config import to_dict
from diffusion_core.data import ROOT
from eval.formats import noise_level, show, show_estimate, show_points
from eval.metrics import Estimate
from eval.report import Report, load, saved
from eval.sources import CHECKPOINTS
from eval.words import SPACES, WORDS

DOCUMENT = ROOT / "docs" / "evaluation.md"
MARKS = "<!-- tables: python -m benchmarks.table --write -->", "<!-- end of tables -->"
NAMES = ("mnist", "mnist-early")
NOTHING = "–"


def shipped(name: str) -> Report:
    """The largest report of a checkpoint's digits as it recommends to draw them."""
    reports = [load(path) for path in saved(CHECKPOINTS / name / "reports")]
    own = to_dict(read_meta(CHECKPOINTS / name).sample)
    return max((report for report in reports if report.source.sample == own), key=lambda report: len(report.table))


def tables() -> str:
    """Markdown: judges, sets in each space, shape, memory, what is learned from the digits, when they are recognised.

    A value has its 95 % interval, ceiling or floor, and the least difference from it that would be seen.
    """
    reports = [shipped(name) for name in NAMES]
    groups = [("Judges, image by image", [w.key for w in WORDS.values() if w.group == "judges"])]
    for prefix, space in SPACES.items():
        extra = ["cmmd"] if prefix == "clip_" else []
        metrics = [prefix + m for m in ("fd", "kid", "precision", "recall", "density", "coverage", "vendi")] + extra
        groups.append((f"As a set, in {space.title}", metrics))
    groups.append(("Shape", [w.key for w in WORDS.values() if w.group == "shape"]))
    groups.append(("Beside training digits", [w.key for w in WORDS.values() if w.group == "memory"]))
    measured = [table(title, metrics, reports) for title, metrics in groups]
    return "\n".join([*measured, learned(reports), recognised(reports)])


def table(title: str, metrics: list[str], reports: list[Report]) -> str:
    """A row a metric. `real`: the ceiling or floor; `detectable`: the least difference from it that n can show."""
    heads = [f"`{r.source.name}`, n = {len(r.table):,}" for r in reports]
    lines = [title, *heads, "real test digits", "detectable"]
    rows = []
    for metric in metrics:
        unit, real = WORDS[metric].unit, reports[0].reference.metrics["overall"].get(metric)
        if real is None:
            continue
        cells = [show_estimate(r.metrics["overall"].get(metric), unit) for r in reports]
        floor = f"{show_estimate(real, unit)}, n = {real.n:,}" if real.n else NOTHING
        size = show(reports[0].detectable["overall"].get(metric), unit, 2 if unit == "%" else 4)
        rows.append([WORDS[metric].title, *cells, floor, size])
    return _markdown(lines, rows)


def learned(reports: list[Report]) -> str:
    """The classification accuracy score: overall, and how much less than from real digits, digit by digit."""
    found = [report.details["accuracy_score"] for report in reports]
    heads = [f"`{r.source.name}`, n = {f['n']:,}" for r, f in zip(reports, found, strict=True)]
    real = found[0]["real"]["overall"]
    rows = [
        ["A network trained on them alone (CAS)", *(_shown(f["synthetic"]["overall"]) for f in found), _shown(real)],
        ["... less that of real digits", *(_points(f["difference"]["overall"]) for f in found), NOTHING],
    ]
    for digit, name in enumerate(reports[0].source.class_names):
        rows.append([f"... of {name}s", *(_points(f["difference"]["per_class"][str(digit)]) for f in found), NOTHING])
    runs = f"as many real training digits, {found[0]['seeds']} runs"
    return _markdown(["Accuracy on real test digits of what learned from them", *heads, runs], rows)


def recognised(reports: list[Report]) -> str:
    """Recognition by the classifier while a digit is drawn, with its label and without: overall, digit by digit."""
    sections = [report.details["recognition"] for report in reports]
    found = [part for section in sections for part in (section, section["blind"])]
    steps = len(sections[0]["sigmas"])
    heads = [f"`{r.source.name}`, {how}" for r in reports for how in ("label known", "from the picture alone")]
    rows = [
        ["Half recognised for good (t50)", *(_half(f["overall"]["t50"]) for f in found)],
        ["Step of lock-in, where it ends right", *(_shown(f["overall"]["lock_in"], "") for f in found)],
        ["Changes of mind (flips)", *(_shown(f["overall"]["flips"], "") for f in found)],
    ]
    for digit, name in enumerate(reports[0].source.class_names):
        rows.append([f"t50 of {name}s", *(_half(f["per_class"][str(digit)]["t50"]) for f in found)])
    return _markdown([f"Recognised while drawn, steps 0 to {steps}", *heads], rows)


def _half(t50: dict) -> str:
    """The step, from 0, with its interval, and the noise level there."""
    if t50["step"] is None:
        return "never: fewer than half end right"
    ends = f" [{t50['low_step']}, {t50['high_step']}]" if t50["high_step"] is not None else ""
    return f"{t50['step']}{ends}, {noise_level(t50)}"


def _points(entry: dict) -> str:
    return show_points(Estimate(**entry))


def _shown(entry: dict, unit: str = "%") -> str:
    return show_estimate(Estimate(**entry), unit)


def _markdown(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def written(text: str, inner: str) -> str:
    """The document `text` with what is between the marks replaced."""
    head, rest = text.split(MARKS[0])
    return f"{head}{MARKS[0]}\n\n{inner}\n{MARKS[1]}{rest.split(MARKS[1])[1]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write them into docs/evaluation.md")
    if parser.parse_args().write:
        DOCUMENT.write_text(written(DOCUMENT.read_text(), tables()))
    else:
        print(tables())


if __name__ == "__main__":
    main()
