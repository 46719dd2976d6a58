"""Names the faults of a set of images in sentences: what is wrong with which class, by how much, who says so.

A fault is named only from what was measured, against real images measured in the same way, and only where it is of
a size that matters, too.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from eval.faults import Fault, Faults, grouped, pooled, scopes_of
from eval.faults_counted import counted, find_copied, find_disagreement, flat_images
from eval.faults_read import Readings
from eval.faults_said import (
    say_collapsed,
    say_confused,
    say_constant,
    say_copied,
    say_disagreement,
    say_empty,
    say_less_varied,
    say_repeated,
    say_shape,
    say_swapped,
    say_wrong,
    who,
)
from eval.faults_shape import MEASURES, find_shapes
from eval.faults_variety import find_collapsed, find_less_varied, find_repeated

Told = tuple[str, Faults, Callable[[Fault], str]]  # kind, faults, the sentence about one


class Finding(NamedTuple):
    """One fault. `labels`: who has it (none: unlabelled images); of "confused" the class asked for, then that read.

    `evidence`, plain JSON: "share" of all images that are spoiled; "n" images of these classes; "judges" who say so
    and "others" who looked and do not; "values" {judge or measure: {"value", "reference"}}, means over the classes.
    Of several judges, the sentence quotes the first.
    """

    kind: str
    labels: tuple[int, ...]
    text: str
    evidence: dict


def findings(table: Mapping, summary, reference, real_table: Mapping, extras: Mapping) -> list[Finding]:
    """All faults, worst first: by the share of images spoiled, weighted by kind and by how many judges agree.

    `table`, `real_table`: scores by image; `summary`, `reference`: objects with `metrics` as in
    `eval.summary.Summary`. `extras`: "class_names", and "images" (uint8 [N, C, H, W], row i of the table) where
    repetitions are to be counted. Images that are all real give an empty list, nearly always.
    """
    names, images = extras["class_names"], extras.get("images")
    scopes = scopes_of(table, summary, reference, real_table)
    blank, flat = flat_images(table, images)
    read = Readings(table, real_table, len(names))
    swaps, repeated = read.swapped(), find_repeated(scopes, images, flat)
    collapsed = find_collapsed([s for s in scopes if s.label not in repeated and not flat[s.rows].any()])
    # Classes in each other's place, and one image many times over, differ in everything else too: said once.
    placed = [s for s in scopes if not any(s.label in pair for pair in swaps)]
    drawn = [s for s in placed if s.label not in repeated | collapsed]
    shapes = find_shapes(table, real_table, drawn, flat)
    told: list[Told] = [
        ("collapsed", repeated, say_repeated),
        ("collapsed", collapsed, say_collapsed),
        ("empty", counted(scopes, blank), say_empty),
        ("constant", counted(scopes, flat & ~blank), say_constant),
        ("wrong", read.wrong(placed), say_wrong),
        ("copied", find_copied(table, real_table, scopes), say_copied),
        ("disagreement", find_disagreement(table, real_table, scopes), say_disagreement),
        ("less varied", find_less_varied(drawn), say_less_varied),
        *((MEASURES[m][more], faults, say_shape(m, more)) for (m, more), faults in shapes.items()),
    ]
    found = [
        *(_finding("swapped", p, say_swapped(p, *ways, names), pooled(ways), len(flat)) for p, ways in swaps.items()),
        *(_finding("confused", p, say_confused(p, f, names), f, len(flat)) for p, f in read.confused(swaps).items()),
    ]
    for kind, faults, say in told:
        for labels, fault in grouped(faults, len(scopes)):
            found.append(_finding(kind, labels, f"{who(labels, len(scopes), names)}: {say(fault)}", fault, len(flat)))
    return sorted(found, key=_badness, reverse=True)


def _finding(kind: str, labels: tuple[int, ...], text: str, fault: Fault, images: int) -> Finding:
    evidence = {
        "share": fault.spoiled / images,
        "n": fault.n,
        "judges": list(fault.judges),
        "others": list(fault.others),
        "values": {key: {"value": value, "reference": real} for key, (value, real) in fault.values.items()},
    }
    return Finding(kind, labels, f"{text}.", evidence)


def _badness(finding: Finding) -> float:
    """A wrong or useless image counts in full; one in doubt, misshapen or merely common counts less."""
    shapes = dict.fromkeys((word for m in MEASURES.values() for word in (m.below, m.above)), 0.2)
    weights = shapes | {"confused": 0.9, "disagreement": 0.3, "less varied": 0.1}
    judges, others = (len(finding.evidence[key]) for key in ("judges", "others"))
    return weights.get(finding.kind, 1.0) * finding.evidence["share"] * (judges / (judges + others) if judges else 1)
