"""A report as lines of text for the terminal, about 110 columns wide."""

from collections import defaultdict
from textwrap import wrap

from eval.formats import NOTHING, decimals, learned_from, minus, recognised, show, show_brackets, show_estimate
from eval.metrics import Estimate
from eval.report import Report
from eval.words import JUDGES, SPACES, WORDS, Word, full_title

WIDTH = 110
COLUMNS = {  # what is shown class by class, and its short head
    "accuracy": "classifier",
    "second_accuracy": "second classifier",
    "knn_accuracy": "neighbours",
    "clip_accuracy": "CLIP",
    "clip_probability": "CLIP probability",
}
CELL = 20
FOUND, MISSING = 10, 5  # faults and shapes that are named; all of them in the report's page
NAMED = 8  # metrics without a value, for one reason
OVERALL = ("disagreement", "memorised", "nearer")


def lines(report: Report) -> list[str]:
    """Faults first; then every number with its interval, n and what real test images score."""
    source, plan = report.source, report.plan
    head = f"{source.name}: n = {plan['count']:,}, seed {plan['seed']}"
    parts = [[head + (f", {source.settings}" if source.settings else "")]]
    parts[0] += [f"The real images are {source.origin}."] * bool(source.origin)
    parts += [
        part(report)
        for part in (_found, _classes, _overall, _sets, _missing, _recognised, _learned, _judged, _unmeasured)
    ]
    return [line for part in parts if part for line in [*part, ""]]


def _found(report: Report) -> list[str]:
    if "findings" not in report.details:
        return []
    found = report.details["findings"]
    if not found:
        return ["Nothing unusual was found."]
    return ["Found, worst first:", *_listed(found, FOUND)]


def _classes(report: Report) -> list[str]:
    """A row a class, one for all, one for all real images; shares in %, with their 95 % intervals."""
    metrics = [m for m in COLUMNS if m in report.metrics["overall"]]
    names = {str(d): report.source.class_names[d] for d in report.plan["labels"] if d >= 0}
    if not metrics or not names:
        return []
    wide = max(4, *map(len, names.values()))
    counts = report.table["label"].value_counts()
    rows = [(names[d], counts.get(int(d), 0), report.metrics["per_class"][d]) for d in names]
    rows.append(("all", report.plan["count"], report.metrics["overall"]))
    real = report.reference.metrics["overall"]
    rows.append(("real", max((e.n for m in metrics if (e := real.get(m))), default=0), real))
    places = {m: min(decimals([row[m] for _, _, row in rows if m in row], "%"), 1) for m in metrics}
    head = f"{'':{wide}}{'n':>7}" + "".join(f"{COLUMNS[m]:>{CELL}}" for m in metrics)
    body = [
        f"{name:{wide}}{n:>7,}" + "".join(f"{_share(row.get(m), places[m]):>{CELL}}" for m in metrics)
        for name, n, row in rows
    ]
    return ["Read as the class asked for (accuracy), and CLIP's probability for it, in % [95 % interval]:", head, *body]


def _share(entry: Estimate | None, places: int) -> str:
    if entry is None or entry.value is None:
        return NOTHING
    return f"{show(entry.value, '%', places).removesuffix(' %')} {show_brackets(entry, '%', places)}".rstrip()


def _overall(report: Report) -> list[str]:
    """Judges that disagree, and what tells of copies of training images."""
    rows = _rows(report, [WORDS[m] for m in OVERALL])
    return [_line("", "generated", "real", "", "n"), *rows] if rows else []


def _sets(report: Report) -> list[str]:
    """The metrics of sets over all images, space by space."""
    out = []
    for space in SPACES.values():
        words = [w for w in WORDS.values() if w.group == "sets" and w.judge == space.judge]
        if rows := _rows(report, words):
            out += [f"In {space.title}:", *rows]
    return [_line("As sets of images", "generated", "floor", "detectable", "n"), *out] if out else []


def _rows(report: Report, words: list[Word]) -> list[str]:
    """A line for every metric that has a value: beside it that of real images, and the difference that would show."""
    out = []
    for word in words:
        ours, real = (r["overall"].get(word.key) for r in (report.metrics, report.reference.metrics))
        if ours is not None and ours.value is not None:
            places = decimals([e for e in (ours, real) if e], word.unit)
            step = report.detectable["overall"].get(word.key)
            texts = [show_estimate(e, word.unit, places) for e in (ours, real)]
            out.append(_line(word.title, *texts, "" if step is None else show(step, word.unit, places), f"{ours.n:,}"))
    return out


def _line(title: str, ours: str, real: str, detectable: str, n: str) -> str:
    return f"{title:26}{ours:28}{real:30}{detectable:>10}{n:>8}"


def _missing(report: Report) -> list[str]:
    found = report.details.get("missing", [])
    return ["Rare here, not among real images:", *_listed(found, MISSING)] if found else []


def _listed(found: list[dict], most: int) -> list[str]:
    shown = [line for entry in found[:most] for line in _wrapped(f"- {entry['text']}")]
    return [*shown, f"  and {len(found) - most} more"] if len(found) > most else shown


def _judged(report: Report) -> list[str]:
    """How far each judge can be trusted, where the images are real."""
    found = report.details.get("calibration", {})
    errors = [f"{JUDGES[judge]} {show(card['calibration_error'], places=2)}" for judge, card in found.items()]
    return _wrapped(f"Calibration error of the judges: {', '.join(errors)}.") if found else []


def _recognised(report: Report) -> list[str]:
    section = report.details.get("recognition")
    return [line for text in recognised(section) for line in _wrapped(text)] if section else []


def _learned(report: Report) -> list[str]:
    section = report.details.get("accuracy_score")
    return _wrapped(learned_from(section)) if section else []


def _unmeasured(report: Report) -> list[str]:
    """Why values are missing: each reason once for all images and once for each group of classes."""
    concerned: dict[tuple[str, str], list[str]] = defaultdict(list)  # (reason, of which classes) -> metrics
    for metric, reason in report.reasons["overall"].items():
        concerned[reason, ""].append(metric)
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    names, asked = report.source.class_names, report.plan["labels"]
    for label in asked:
        for metric, reason in report.reasons["per_class"].get(str(label), {}).items():
            groups[reason, metric].append(names[label])
    for (reason, metric), where in groups.items():
        concerned[reason, f" of {', '.join(where)}"].append(metric)
    texts = [f"Not measured: {_titles(metrics)}{of}. Why: {reason}." for (reason, of), metrics in concerned.items()]
    if absent := [name for label, name in enumerate(names) if asked and label not in asked]:
        texts.append(f"There are no images of {', '.join(absent)}.")
    return [line for text in texts for line in _wrapped(text)]


def _titles(metrics: list[str]) -> str:
    """Names of metrics: one that is missing in every space is named once, and of many only the first."""
    found: dict[str, list[str]] = defaultdict(list)
    for metric in metrics:
        found[WORDS[metric].title if metric in WORDS else metric].append(_title(metric))
    names = [name for title, each in found.items() for name in ([title] if len(each) == len(SPACES) else each)]
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def _title(metric: str) -> str:
    return full_title(WORDS[metric]) if metric in WORDS else metric


def _wrapped(text: str) -> list[str]:
    """Lines of at most `WIDTH`, further ones indented."""
    return wrap(minus(text), WIDTH, subsequent_indent="  ")
