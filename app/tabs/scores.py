"""Scores: how well each class is drawn, beside real images under the same judges."""

from functools import partial

import gradio as gr

from app import figures, links, markup, overview, words
from app.colours import colour_of
from app.entries import usable
from app.links import View
from app.store import Store
from app.widgets import QUIET, Tab, among, choose, clickable, first, guarded, picker, still
from diffusion_core.errors import UserError
from eval.metrics import Estimate, difference
from eval.report import Report

TITLE = "Scores"
GAPS = "Each interval is for one class alone: the largest of so many gaps looks larger than it is."
MAIN = {"classifier": "accuracy", "second": "second_accuracy", "clip": "clip_probability"}  # of a judge's sentence


# ---------------------------------------------------------------- pure


def headline(report: Report, metric: str) -> str:
    """The overall number: "Classifier accuracy 97.9 % (95 % interval 96.8 to 98.6 %), n = 1,000; real 99.4 %"."""
    entry, e = words.METRICS[metric], report.metrics["overall"][metric]
    text = f"{words.long_title(entry)}: {words.show(e.value, entry.unit)}"
    text += f" (95 % interval {words.show_interval(e, entry.unit)}, n = {e.n:,})"
    if reason := report.reasons["overall"].get(metric):
        text += f"; it {reason}"
    real = report.reference.metrics["overall"].get(metric)
    if real and report.source.kind != "real":
        as_many = f" (n = {real.n:,})" if entry.group == "sets" else ""
        text += f"; {words.REAL_IMAGES}{as_many} score {words.show(real.value, entry.unit)}"
    return text + "."


def hardest(report: Report, metric: str) -> str:
    """Which class falls furthest below its real images, and by how much; or that none can be told from them.

    Measured against real images, because a judge that misreads real 5s may not accuse the model of bad 5s.
    """
    names, entry = report.source.class_names, words.METRICS[metric]
    judge = words.the(entry.judge)
    judge = judge[0].upper() + judge[1:]
    per_class, real = report.metrics["per_class"], report.reference.metrics["per_class"]
    if report.source.kind == "real":
        label = min((d for d in per_class if per_class[d][metric].n), key=lambda d: per_class[d][metric].value)
        value = words.show(per_class[label][metric].value, entry.unit)
        return f"{judge} finds real images of {names[int(label)]} hardest: {value}."
    gaps = {d: difference(e[metric], real[d][metric]) for d, e in per_class.items() if e[metric].n}
    label = max(gaps, key=lambda d: gaps[d].value)
    ours, theirs, name = per_class[label][metric], real[label][metric], names[int(label)]
    size = (
        f"{words.show(ours.value, entry.unit)} against {words.show(theirs.value, entry.unit)} for real images of it, "
        f"{_points(gaps[label], entry.unit)}"
    )
    if gaps[label].low is None or gaps[label].low <= 0:
        return f"{judge} cannot tell any class from real images for certain; {name} is furthest below: {size}."
    return f"{judge} finds {name} hardest: {size}."


def table(report: Report, metric: str) -> str:
    """One row a class: value, interval, real images, n; the overall row first."""
    entry, rows = words.METRICS[metric], []
    groups = [("all", report.metrics["overall"], report.reference.metrics["overall"])]
    reference = report.reference.metrics["per_class"]
    per_class = report.metrics["per_class"]
    groups += [(name, per_class[str(d)], reference[str(d)]) for d, name in enumerate(report.source.class_names)]
    for name, ours, real in groups:
        e, r = ours.get(metric, overview.NOTHING), real.get(metric)
        rows.append(
            (
                name,
                words.show(e.value, entry.unit),
                words.show_interval(e, entry.unit),
                words.show(r.value, entry.unit) if r else "–",
                f"{e.n:,}",
            )
        )
    caption = f"{words.long_title(entry)} of each class"
    return markup.table(("class", "score", "95 % interval", "real", "n"), rows, caption)


def judged(report: Report, metric: str) -> list[str]:
    """A sentence of each judge about the class it finds hardest, that of the metric's judge first."""
    entry = words.METRICS[metric]
    if entry.group != "judges" or entry.judge not in MAIN or entry.better is None:
        return []
    wanted = [metric if entry.judge == j else MAIN[j] for j in sorted(MAIN, key=lambda j: j != entry.judge)]
    return [hardest(report, m) for m in wanted if m in words.available(report) and report.source.labelled]


def page(store: Store, key: str | None, metric: str | None):
    """What the tab shows: words above, figure, table beside it, words below. `UserError` for a bad choice."""
    if not usable(store.reports()):
        return (
            markup.note("There is no report yet. Score a checkpoint: python -m app score mnist", "empty"),
            None,
            "",
            "",
        )
    report = store.report(key)
    if metric not in words.available(report):
        raise UserError("This report has no such metric. Choose another one.")
    entry = words.METRICS[metric]
    above = overview.findings(report) + f'<p class="lead">{headline(report, metric)}</p>'
    above += "".join(markup.note(line) for line in judged(report, metric))
    if entry.judge in report.tuned:
        text = f"This checkpoint was tuned against {words.the(entry.judge)}: this score is no evidence of its quality."
        above += markup.note(text, "problem")
    reference = None if report.source.kind == "real" else report.reference.metrics["per_class"]
    figure = figures.score_bars(
        report.metrics["per_class"], reference, metric, report.source.class_names, colour_of(store, key)
    )
    below = markup.note(f"What it says: {entry.can} What it cannot say: {entry.cannot} {GAPS}")
    below += (
        overview.tables(report)
        + provenance(report)
        + markup.link_button(links.write(tab="scores", a=key, metric=metric))
    )
    return above, figure, table(report, metric), below


def provenance(report: Report) -> str:
    """Where the numbers come from, in one line."""
    source = report.source
    parts = [f"source {source.id}", f"judges {', '.join(report.scorers)}", f"scored {report.created[:10]}"]
    if report.revision:
        parts.append(f"revision {report.revision}")
    return f'<p class="provenance">{markup.escape(" · ".join(parts))}</p>'


def _points(gap: Estimate, unit: str) -> str:
    """ "6.2 points below (95 % interval 2.3 to 12.9)", from real minus ours."""
    scale, suffix, digits = (100, " points", 1) if unit == "%" else (1, "", 3)
    side = "below" if gap.value >= 0 else "above"
    text = f"{scale * abs(gap.value):.{digits}f}{suffix} {side}"
    if gap.low is None:
        return text
    low, high = sorted((gap.low, gap.high)) if gap.value >= 0 else sorted((-gap.low, -gap.high))
    return words.minus(f"{text} (95 % interval {scale * low:.{digits}f} to {scale * high:.{digits}f})")


# ---------------------------------------------------------------- gradio


def build(store: Store) -> Tab:
    """The tab's components and how they are filled."""
    with gr.Row(elem_classes="controls"):
        report = picker(store.reports(), "Report", scale=3)
        metric = gr.Dropdown(words.titled(words.METRICS), value="accuracy", label="Score", filterable=False, scale=2)
    above = still(elem_classes="words")
    with gr.Row(elem_classes="beside"):
        with gr.Column(scale=3, min_width=320):
            figure = gr.Plot(show_label=False, container=False)
        with gr.Column(scale=2, min_width=300):
            numbers = still(elem_classes="wrapped")
    below = clickable("", elem_classes="words")
    tab = Tab(
        [report, metric],
        [above, figure, numbers, below],
        guarded(store, partial(page, store)),
        partial(opened, store),
    )

    def other(key, metric):
        offered = among(words.titled(words.available(store.report(key))), metric)
        return offered, *page(store, key, offered["value"])

    report.input(guarded(store, other), tab.settings, [metric, *tab.outputs], **QUIET)
    metric.input(tab.show, tab.settings, tab.outputs, **QUIET)
    return tab


def opened(store: Store, view: View) -> list:
    """The settings that a link asks for."""
    key, metric = store.report_key(view.a) or first(store.reports()), view.metric or "accuracy"
    offered = words.titled(words.available(store.report(key)) if key else words.METRICS)
    return [choose(store.reports(), key), among(offered, metric)]
