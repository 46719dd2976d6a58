"""What the report page says about sets of images, recognition, missing shapes and the accuracy score."""

from eval.formats import NOTHING, decimals, minus, noise_level, recognised, show, show_estimate, show_points
from eval.html_numbers import against, classes, table
from eval.html_parts import curve
from eval.metrics import Estimate
from eval.report import Report
from eval.words import JUDGES, SPACES, WORDS, Word

# ---------------------------------------------------------------- sets of images


def sets(report: Report) -> list[dict]:
    """For each space its metrics over all images beside the floor, and below them class by class."""
    found = []
    for space in SPACES.values():
        words = [w for w in WORDS.values() if w.group == "sets" and w.judge == space.judge]
        rows = [row for word in words if (row := _set_row(report, word))]
        if rows:
            deeper = table(report, [w.key for w in words if w.key in report.metrics["overall"]])
            found.append({"title": space.title, "says": space.says, "rows": rows, "classes": deeper})
    return found


def _set_row(report: Report, word: Word) -> dict | None:
    ours, floor = (r["overall"].get(word.key) for r in (report.metrics, report.reference.metrics))
    reason = report.reasons["overall"].get(word.key, "")
    if ours is None and not reason:
        return None
    words, kind = against(ours, floor, word.better) if ours else ("", "")
    step = report.detectable["overall"].get(word.key)
    places = decimals([e for e in (ours, floor) if e], word.unit)
    return {
        "title": word.title,
        "ours": show_estimate(ours, word.unit, places),
        "floor": show_estimate(floor, word.unit, places),
        "detectable": show(step, word.unit, places) if step is not None else NOTHING,
        "n": f"{ours.n:,}" if ours else "",
        "against": words,
        "kind": kind,
        "reason": reason,
    }


# ---------------------------------------------------------------- sections of `details`


def calibration(report: Report) -> list[dict]:
    """Each judge on real images: is it as sure as it is right? Its reliability diagram as rows."""
    found = []
    for judge, card in report.details.get("calibration", {}).items():
        rows = [
            {
                "sure": f"{100 * b['low']:.0f} to {100 * b['high']:.0f} %",
                "n": f"{b['n']:,}",
                "mean": show(b["confidence"]),
                "right": show_estimate(Estimate(**b["accuracy"]), places=1),
            }
            for b in card["reliability"]
            if b["n"]
        ]
        accuracy, error = show_estimate(Estimate(**card["accuracy"])), show(card["calibration_error"], places=2)
        found.append({"judge": JUDGES[judge], "accuracy": accuracy, "error": error, "rows": rows})
    return found


def recognition(report: Report) -> list[dict]:
    """With the label, and without it where that was read: the curve, when half are recognised, and each class's."""
    section = report.details.get("recognition")
    if not section:
        return []
    names = dict(classes(report))
    parts = [section, section["blind"]] if section.get("blind") else [section]
    panels = []
    for part, says in zip(parts, recognised(section), strict=True):
        per_class = {k: c for k, c in part.get("per_class", {}).items() if k in names}
        svg = curve({"sigmas": section["sigmas"], "overall": part["overall"], "per_class": per_class}, says)
        rows = [{"name": names[k], **_recognised(c)} for k, c in per_class.items()]
        panels.append({"svg": svg, "says": says, "rows": [*rows, {"name": "all", **_recognised(part["overall"])}]})
    return panels


def _recognised(curves: dict) -> dict:
    texts = {key: show_estimate(Estimate(**curves[key]), "") for key in ("lock_in", "flips")}
    return texts | {"half": _when(curves["t50"])}


def _when(t50: dict) -> str:
    return NOTHING if t50["step"] is None else f"{t50['step']}, {noise_level(t50)}"


def missing(report: Report) -> list[str]:
    """Sentences about shapes of real images that are rarer here, worst first as they come."""
    return [minus(found["text"]) for found in report.details.get("missing", [])]


def accuracy_score(report: Report) -> dict | None:
    """How well a network trained on the generated images alone reads real ones, beside one trained on real images."""
    section = report.details.get("accuracy_score")
    if not section:
        return None

    def row(name: str, pick) -> dict:
        return {"name": name} | {
            key: shown(Estimate(**found)) if (found := pick(section[key])) else NOTHING
            for key, shown in (("synthetic", show_estimate), ("real", show_estimate), ("difference", show_points))
        }

    rows = [row("all", lambda part: part.get("overall"))]
    rows += [row(name, lambda part, k=key: part.get("per_class", {}).get(k)) for key, name in classes(report)]
    return {"rows": rows, "n": f"{section['n']:,}"} | {key: section[key] for key in ("seeds", "steps", "network")}
