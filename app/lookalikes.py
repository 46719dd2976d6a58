"""Two classes that are taken for one another: how often, by whom, and which samples lie between them. No gradio."""

from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from app import classes, markup, pictures
from app.verdicts import probabilities, verdicts
from app.words import JUDGES, show, show_interval, the
from diffusion_core.errors import UserError
from eval.metrics import Estimate, difference, wilson
from eval.report import Report

BORDER = 8  # samples of either class that are shown
FARTHEST = 6.0  # powers of ten; odds beyond are drawn there


def share(report: Report, judge: str, asked: int, read: int) -> Estimate:
    """The share of class `asked` that this judge reads as `read`. `UserError` where it did not score the report."""
    if judge not in report.confusions:
        raise UserError(f"{JUDGES[judge]} did not score this report. Choose another judge.")
    counts = report.confusions[judge][asked]
    return wilson(counts[read], sum(counts))


def lead(report: Report, real: Report | None, judge: str, pair: tuple[int, int]) -> str:
    """ "The classifier reads 1 of 200 images of 5 as 6, more than of real ones (0.1 %).", and the other way round."""
    return " ".join(_way(report, real, judge, asked, read) for asked, read in (pair, pair[::-1]))


def _way(report: Report, real: Report | None, judge: str, asked: int, read: int) -> str:
    ours = share(report, judge, asked, read)
    names = report.source.class_names
    count = f"{round((ours.value or 0) * ours.n):,} of {ours.n:,}"
    text = f"{the(judge)} reads {count} images of {names[asked]} as {names[read]}"
    text = text[0].upper() + text[1:]
    if real is None or judge not in real.confusions:
        return f"{text}."
    theirs = share(real, judge, asked, read)
    gap = difference(theirs, ours)
    if gap.low is None:
        return f"{text}."
    said = "more than of" if gap.low > 0 else "fewer than of" if gap.high < 0 else "not told apart from"
    return f"{text}, {said} real ones ({show(theirs.value)})."


def by_judge(report: Report, real: Report | None, pair: tuple[int, int]) -> str:
    """A row a judge: both ways, generated and real."""
    head, names = ["judge"], report.source.class_names
    for asked, read in (pair, pair[::-1]):
        head += [f"{names[asked]} read as {names[read]}", *(["real images"] if real else [])]
    rows = [
        (JUDGES[judge], *[_said(share(r, judge, *way)) for way in (pair, pair[::-1]) for r in (report, real) if r])
        for judge in JUDGES
        if judge in report.confusions and (real is None or judge in real.confusions)
    ]
    return markup.table(head, rows, f"{names[pair[0]]} and {names[pair[1]]} by judge")


def by_report(
    reports: Iterable[tuple[str, Report]], names: Sequence[str], judge: str, pair: tuple[int, int]
) -> str:  # fmt: skip
    """A row a report of one data set (its name first), as one judge reads them; `names` of the classes."""
    ways = (pair, pair[::-1])
    rows = [
        (name, *[_said(share(report, judge, *way)) for way in ways])
        for name, report in reports
        if judge in report.confusions
    ]
    head = ["images", *(f"{names[asked]} read as {names[read]}" for asked, read in ways)]
    title = f"{names[pair[0]]} and {names[pair[1]]}, report by report, read by {the(judge)}"
    return markup.table(head, rows, title)


def _said(e: Estimate) -> tuple[str, str]:
    return show(e.value), show_interval(e)


def odds(report: Report, judge: str, asked: int, pair: tuple[int, int]) -> np.ndarray:
    """log10 of p(second of the pair) / p(first) of every sample of `asked`, float [n] within +-FARTHEST."""
    p = probabilities(report.table, judge)[report.table["label"].to_numpy() == asked].clip(10 ** -(FARTHEST + 2))
    return np.log10(p[:, pair[1]] / p[:, pair[0]]).clip(-FARTHEST, FARTHEST)


def border(report: Report, judge: str, asked: int, other: int) -> np.ndarray:
    """Rows of the samples of `asked`, int [<= BORDER]: what looks most like `other` first; ties in table order."""
    own = np.flatnonzero(report.table["label"].to_numpy() == asked)
    return own[np.argsort(-odds(report, judge, asked, (asked, other)), kind="stable")[:BORDER]]


def gallery(report: Report, judge: str, asked: int, other: int) -> str:
    """The samples of `asked` nearest to `other`, each with the verdicts of all judges."""
    rows = border(report, judge, asked, other)
    table = report.table.iloc[rows]
    names = report.source.class_names
    said = verdicts(table, table["label"].to_numpy(), names)
    alt, name = classes.called(names[asked], report.source.dataset), "no." if report.source.kind == "real" else "seed"
    items = [
        markup.sample(uri, alt, int(seed), lines, name)
        for uri, seed, lines in zip(pictures.pictures(report, rows), table["seed"], said, strict=True)
    ]
    title = f"Images of {names[asked]} that look most like {names[other]}"
    return f"<h2>{escape(title)}</h2>" + markup.samples(items, title)
