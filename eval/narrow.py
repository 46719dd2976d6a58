"""A report cut down to the labels and seeds that another one has, so that the two can be compared pair by pair."""

from dataclasses import replace

from eval.by_image import without_sets
from eval.report import Report
from eval.summary import summarise


def narrowed(a: Report, b: Report) -> Report:
    """`a` with the rows alone whose label and seed `b` has too; `a` itself where it lacks some of them.

    Real images grew from no seed, and where nobody said which seeds images have there is nothing to match: `a` then
    stays whole, too. What compares sets is left out, since it belongs to all images of `a`.
    """
    if "real" in (a.source.kind, b.source.kind) or not (a.source.seeded and b.source.seeded):
        return a
    wanted = set(_keys(b))
    rows = [i for i, key in enumerate(_keys(a)) if key in wanted]
    if len(rows) != len(wanted) or len(rows) == len(a.table):
        return a
    table = a.table.iloc[rows].reset_index(drop=True)
    return replace(
        a,
        plan=a.plan | {"per_class": b.plan["per_class"], "count": len(rows), "labels": b.plan["labels"]},
        summary=summarise(table, len(a.source.class_names)),
        table=table,
        images=a.images[rows],
        reasons=without_sets(),
        detectable={"overall": {}, "per_class": {}},
        details={},
    )


def _keys(report: Report) -> list[tuple[int, int]]:
    return list(zip(report.table["label"].tolist(), report.table["seed"].tolist(), strict=True))
