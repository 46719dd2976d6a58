"""The tables of docs/evaluation.md: every metric of the shipped reports, beside real test digits.

python -m benchmarks.table            print them
python -m benchmarks.table --write    put them into the document
"""

import argparse

from diffusion_core.data import ROOT
from eval.formats import show, show_estimate
from eval.report import Report, load, saved
from eval.sources import CHECKPOINTS
from eval.words import SPACES, WORDS

DOCUMENT = ROOT / "docs" / "evaluation.md"
MARKS = "<!-- tables: python -m benchmarks.table --write -->", "<!-- end of tables -->"
NAMES = ("mnist", "mnist-early")
NOTHING = "–"


def shipped(name: str) -> Report:
    """The largest report of a checkpoint."""
    reports = [load(path) for path in saved(CHECKPOINTS / name / "reports")]
    return max(reports, key=lambda report: len(report.table))


def tables() -> str:
    """Markdown: judges, sets in each space, shape and memory; value [95 % interval], ceiling or floor, detectable."""
    reports = [shipped(name) for name in NAMES]
    groups = [("Judges, image by image", [w.key for w in WORDS.values() if w.group == "judges"])]
    for prefix, space in SPACES.items():
        extra = ["cmmd"] if prefix == "clip_" else []
        metrics = [prefix + m for m in ("fd", "kid", "precision", "recall", "density", "coverage", "vendi")] + extra
        groups.append((f"As a set, in {space.title}", metrics))
    groups.append(("Shape", [w.key for w in WORDS.values() if w.group == "shape"]))
    groups.append(("Beside training digits", [w.key for w in WORDS.values() if w.group == "memory"]))
    return "\n".join(table(title, metrics, reports) for title, metrics in groups)


def table(title: str, metrics: list[str], reports: list[Report]) -> str:
    """A row a metric. `real`: the ceiling or floor; `detectable`: the least difference from it that n can show."""
    heads = [f"`{r.source.name}`, n = {len(r.table):,}" for r in reports]
    lines = [title, *heads, "real test digits", "detectable"]
    rows = [f"| {' | '.join(lines)} |", f"|{'---|' * len(lines)}"]
    for metric in metrics:
        unit, real = WORDS[metric].unit, reports[0].reference.metrics["overall"].get(metric)
        if real is None:
            continue
        cells = [show_estimate(r.metrics["overall"].get(metric), unit) for r in reports]
        floor = f"{show_estimate(real, unit)}, n = {real.n:,}" if real.n else NOTHING
        size = show(reports[0].detectable["overall"].get(metric), unit, 2 if unit == "%" else 4)
        rows.append(f"| {WORDS[metric].title} | {' | '.join(cells)} | {floor} | {size} |")
    return "\n".join(rows) + "\n"


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
