"""A report as one HTML page that needs nothing else: no script, no network, no file beside it."""

import shlex
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from eval import html_details as details
from eval import html_images as images
from eval import html_numbers as numbers
from eval.formats import plural
from eval.html_parts import Sprite
from eval.report import Report, kind_of, standard
from eval.words import WORDS, full_title

HERE = Path(__file__).parent
TEMPLATE, STYLE = "report.html", "report.css"


def to_html(report: Report) -> str:
    """The whole page. Sections that the report does not have are left out; foreign text is escaped."""
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    sprite = Sprite(images.on_paper(report))
    shown = {
        "samples": images.strips(report, sprite),
        "doubtful": images.doubtful(report, sprite),
        "closest": images.closest(report, sprite),
    }
    style = Markup((HERE / STYLE).read_text(encoding="utf-8")) + sprite.css()
    page = environment.get_template(TEMPLATE)
    return page.render(**_head(report), **_sections(report), **shown, **_foot(report), style=style)


def _head(report: Report) -> dict:
    source, plan = report.source, report.plan
    labelled = bool(numbers.classes(report))
    counts = set(report.table["label"].value_counts().tolist())
    each = f", {counts.pop():,} of each" if labelled and len(counts) == 1 and len(plan["labels"]) > 1 else ""
    made = "real test images" if source.kind == "real" else "images"
    facts = [f"{plan['count']:,} {made}{each}", source.settings, f"seed {plan['seed']}", date(report)]
    return {
        "name": source.name,
        "facts": [fact for fact in facts if fact],
        "labelled": labelled,
        "worded": max(map(len, source.class_names)) > 2,  # names that need more room than digits and letters
        "tuned": sorted(report.tuned),
        "findings": _findings(report),
    }


def _findings(report: Report) -> list[dict] | None:
    """What was found, worst first; None where nobody looked."""
    if "findings" not in report.details:
        return None
    names = report.source.class_names
    return [
        {"text": f["text"], "names": ["all"] if len(f["digits"]) == len(names) else [names[d] for d in f["digits"]]}
        for f in report.details["findings"]
    ]


def _sections(report: Report) -> dict:
    return {
        "headline": numbers.headline(report),
        "classes": numbers.table(report, numbers.READ),
        "matrices": numbers.matrices(report),
        "calibration": details.calibration(report),
        "sets": details.sets(report),
        "recognition": details.recognition(report),
        "shape": numbers.table(report, numbers.SHAPES),
        "missing": details.missing(report),
        "accuracy_score": details.accuracy_score(report),
        "count": plural(report.plan["count"], "image"),
        "floor_n": _floor(report),
        "unmeasured": _unmeasured(report),
    }


def _floor(report: Report) -> str:
    """How many real images the floor was measured on, where they are fewer than the generated ones."""
    n = report.details.get("floor_n", {}).get("overall", report.plan["count"])
    return plural(n, "real image") if n < report.plan["count"] else ""


def _unmeasured(report: Report) -> dict[str, list[str]]:
    """Why values of all images are missing: {reason: titles}. The table of sets says so itself for its metrics."""
    found: dict[str, list[str]] = {}
    for metric, reason in report.reasons["overall"].items():
        if metric in WORDS and WORDS[metric].group != "sets":
            found.setdefault(reason, []).append(full_title(WORDS[metric]))
    return found


def _foot(report: Report) -> dict:
    source = report.source
    facts = {
        "source": source.id,
        "sha256": source.sha256,
        "real images": source.origin,
        "images seen in training": f"{source.images_seen:,}" if source.images_seen is not None else None,
        "plan": ", ".join(f"{key} {value}" for key, value in report.plan.items()),
        "revision": report.revision,
        "packages": ", ".join(f"{name} {version}" for name, version in report.packages.items()),
        "created": report.created,
    }
    known = report.metrics["overall"].keys() | report.reasons["overall"].keys()
    return {
        "facts_of_origin": {key: value for key, value in facts.items() if value},
        "scorers": [{"id": scorer, "tuned": kind_of(scorer) in report.tuned} for scorer in report.scorers],
        "command": command(report),
        "words": [{"title": full_title(w), "can": w.can, "cannot": w.cannot} for w in WORDS.values() if w.key in known],
    }


def command(report: Report) -> str:
    """The command that makes this report again; for files, from the folder that holds the file."""
    source, plan = report.source, report.plan
    parts = ["python", "-m", "app", "score", source.given or source.name]
    if source.dataset != "mnist" and source.kind != "checkpoint":  # a checkpoint knows its own
        parts += ["--data", source.dataset]
    if plan["per_class"] is not None:
        parts += ["--per-class", str(plan["per_class"])]
    parts += ["--seed", str(plan["seed"])]
    for option in ("sampler", "steps", "guidance", "clip_guidance"):
        if source.sample and option in source.sample:
            parts += [f"--{option.replace('_', '-')}", str(source.sample[option])]
    clip = next((s.split("@")[0] for s in report.scorers if kind_of(s) == "clip"), "clip")
    if clip not in ("clip", *standard(source.dataset)):
        parts += ["--clip", clip.removeprefix("clip:")]
    parts += ["--cas"] if "accuracy_score" in report.details else []
    return shlex.join(parts)


def date(report: Report) -> str:
    """ "23 November 2026"; as it stands where it is no date."""
    try:
        made = datetime.fromisoformat(report.created)
    except ValueError:
        return report.created
    return f"{made.day} {made:%B %Y}"
