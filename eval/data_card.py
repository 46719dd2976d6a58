"""The card of a synthetic data set: README.md text whose front matter the Hugging Face Hub and `datasets` read.

A pure function of the set's record, `export.json`: the plan (app/exporting.py), `labels` (of each label `delivered`,
`tried` and `left_out` by filter), `scores` (eval/tally.py) and the `command`.
"""

from bisect import bisect

from eval.filters import FILTERS
from eval.formats import show_estimate
from eval.metrics import Estimate
from eval.model_card import HUB
from eval.source_base import Form, shown
from eval.tidy import plain
from eval.writers import FORMATS

LICENSES = {"mnist": "cc-by-sa-3.0", "fashion": "mit"}  # of the images that the generator learned from, where known
SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M")  # as the Hub calls them
JUDGES = {"classifier": "read right by the classifier", "second": "read right by the second classifier"}


def to_card(record: dict, form: Form) -> str:
    """YAML front matter, then a card for people."""
    from huggingface_hub import DatasetCardData

    data = DatasetCardData(
        pretty_name=f"{record['count']:,} images by {shown(record['checkpoint'], 80)}",
        license=LICENSES.get(form.name),
        task_categories=["image-classification"],
        size_categories=[SIZES[bisect((1e3, 1e4, 1e5, 1e6), record["count"])]],
        source_datasets=[HUB[form.name]] if form.name in HUB else None,
        tags=["synthetic", "diffusion", form.name],
        **_loading(record),
    )
    return f"---\n{data.to_yaml()}\n---\n\n{_body(record, form)}"


def _loading(record: dict) -> dict:
    """What `datasets.load_dataset` needs to know; nothing for the forms that it does not read."""
    files = list(FORMATS[record["format"]].datasets)
    if not files:
        return {}
    return {"configs": [{"config_name": "default", "data_files": [{"split": "train", "path": files}]}]}


def _body(record: dict, form: Form) -> str:
    name, classes = shown(record["checkpoint"], 80), len(form.class_names)
    sample = ", ".join(f"{key} {value}" for key, value in record["sample"].items())
    parts = [
        f"# {record['count']:,} images by {_code(name)}",
        f"Drawn by the checkpoint {_code(name)} (sha256 of its weights {_code(record['sha256'])}) with {_code(sample)}."
        f" The j-th candidate of label d, counted from 0, has seed {record['seed']} + {classes} j + d, and a row says "
        "its label and seed: no two images share noise.",
        _named(form),
        f"```python\n{FORMATS[record['format']].opening(form)}\n```",
        "## What is in it",
        _table(record, form),
        _judged(record),
        "## What was filtered out",
        _filters(record),
        "## What to bear in mind",
        "- The generator has seen real training images, all of them unless its own card says otherwise. What is "
        "learned from few real images and these is therefore no result of few data.\n"
        "- A label is what the generator was asked for, not what somebody read. The table says how often two "
        "classifiers disagree.\n"
        "- Filters take away what is unusual along with what is wrong: the stricter, the less varied the set.",
        f"## Again\n\n```\n{record['command']}\n```",
        "The same command gives the same bytes on the same kind of machine, whether or not it was interrupted, and a "
        "smaller count the beginning of this set.",
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _named(form: Form) -> str:
    """Which class each label stands for; nothing where the classes are called as their labels."""
    if form.class_names == tuple(map(str, range(len(form.class_names)))):
        return ""
    return f"Labels: {', '.join(f'{label} {plain(name)}' for label, name in enumerate(form.class_names))}."


def _table(record: dict, form: Form) -> str:
    """A row a class: delivered, tried, left out by each filter, read right by each judge."""
    filters, scores = list(record["filters"]), record["scores"]
    heads = ["class", "images", "drawn", *(f"left out: {FILTERS[f].short}" for f in filters), *JUDGES.values()]
    lines = []
    for label, (name, row) in enumerate(zip(form.class_names, record["labels"], strict=True)):
        if row["tried"]:
            found = [_shown(scores[judge]["per_class"][label]) for judge in JUDGES]
            lines.append([plain(name), *_counts(row, filters), *found])
    every = {key: sum(row[key] for row in record["labels"]) for key in ("delivered", "tried")}
    every["left_out"] = {f: sum(row["left_out"][f] for row in record["labels"]) for f in filters}
    lines.append(["all", *_counts(every, filters), *(_shown(scores[judge]["overall"]) for judge in JUDGES)])
    real = [_shown(scores[judge]["real"]) for judge in JUDGES]
    lines.append(["real test images", *[""] * (2 + len(filters)), *real])
    return "\n".join(f"| {' | '.join(line)} |" for line in [heads, ["---"] * len(heads), *lines])


def _counts(row: dict, filters: list[str]) -> list[str]:
    return [f"{n:,}" for n in (row["delivered"], row["tried"], *(row["left_out"][f] for f in filters))]


def _judged(record: dict) -> str:
    entry = record["scores"]["classifier"]
    which = "All" if entry["overall"]["n"] == record["count"] else "The first"
    chosen = " No judge had a say in what is in the set."
    if record["filters"]:
        chosen = " Neither of them had a say in what is in the set."
    if used := {FILTERS[f].judge for f in record["filters"]} - {None}:
        chosen += f" What filtered ({', '.join(sorted(used))}) is no evidence of its quality any more."
    return (
        f"{which} {entry['overall']['n']:,} images were judged, and {entry['real']['n']:,} real test images; 95 % "
        f"Wilson intervals.{chosen}"
    )


def _filters(record: dict) -> str:
    if not record["filters"]:
        return "Nothing: no filter was asked for."
    lines = [
        f"- **{FILTERS[name].title} at least {least:g}{FILTERS[name].unit and ' ' + FILTERS[name].unit}.** "
        f"{FILTERS[name].words}"
        for name, least in record["filters"].items()
    ]
    told = "An image counts under the first filter that refused it; `filtered.csv` lists them, with what was measured."
    return "\n".join(lines) + f"\n\n{told}"


def _shown(entry: dict) -> str:
    return show_estimate(Estimate(**entry))


def _code(text: str) -> str:
    """Foreign text inside backticks."""
    return f"`{text.replace('`', chr(39))}`"
