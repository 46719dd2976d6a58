"""What people take out of a report: page, CSV, Markdown, model card, terminal. Read back, not compared with a copy."""

import base64
import csv
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from app.terminal import describe_report
from eval import outputs
from eval.cards import measured
from eval.formats import decimals, half_recognised, show, show_estimate, show_interval
from eval.html import command, to_html
from eval.html_numbers import against
from eval.html_parts import BAR, axis, interval
from eval.metrics import Estimate, difference, wilson
from eval.model_card import results, to_card
from eval.outputs import write_outputs
from eval.report import Report
from eval.shape import MEASURES
from eval.sources import RealSource, SourceInfo
from eval.summary import JUDGES, METRICS, summarise
from eval.tidy import markdown_table, rows, to_csv
from eval.words import JUDGES as NAMES
from eval.words import SPACES, WORDS

EACH = 8
NONE = {"overall": {}, "per_class": {}}


def make_table(labels, seeds, wrong):
    """Four judges that read every digit right with probability .91, but rows `wrong` as the next digit."""
    n, columns = len(labels), {"label": labels, "seed": seeds}
    asked = np.maximum(labels, 0)
    for j, judge in enumerate(JUDGES):
        read = np.where(np.isin(np.arange(n), wrong[judge]), (asked + 1) % 10, asked)
        p = np.full((n, 10), 0.01)
        p[np.arange(n), read] = 0.91 - 0.001 * j
        columns |= {f"{judge}_label": read} | {f"{judge}_p{d}": p[:, d] for d in range(10)}
        columns["clip_probability" if judge == "clip" else f"{judge}_confidence"] = p[np.arange(n), asked]
    columns["disagreement"] = np.isin(np.arange(n), wrong["classifier"]) * 0.25
    columns |= {m: 2 + 0.1 * (np.arange(n) % 7) for m in MEASURES}
    columns |= {"memorised": np.arange(n) % 20 == 0, "nearer": (np.arange(n) % 10) / 10}
    return pd.DataFrame(columns)


def estimate(value, half=0.01, n=80):
    return Estimate(value, value - half, value + half, n)


def details(table):
    e = estimate(0.5).to_dict()
    t50 = {"step": 1, "sigma": 2.5, "low_step": 1, "high_step": 2, "low_sigma": 0.5, "high_sigma": 2.5, "n": 80}
    curves = {"recognised": [e] * 3, "for_good": [e] * 4, "t50": t50 | {"reason": None}, "lock_in": e, "flips": e}
    part = {"overall": e, "per_class": {str(d): e for d in range(10)}, "runs": [0.5]}
    pair = {
        "row": 3,
        "label": 3,
        "seed": 3,
        "train_index": 41,
        "train_distance": 1.5,
        "test_index": 2,
        "test_distance": 2.5,
    }
    return {
        "findings": [{"kind": "wrong", "digits": [5], "text": "5 is <b>wrong</b>.", "evidence": {}}],
        "recognition": {"sigmas": [10.0, 2.5, 0.5], "overall": curves, "per_class": {"5": curves}},
        "missing": [{"digit": 5, "measure": "slant", "share": e, "text": "5: slants below -9° are rare"}],
        "closest": [pair],
        "accuracy_score": {"n": 80, "seeds": 1, "network": "net", "steps": 9}
        | dict.fromkeys(("synthetic", "real", "difference"), part),
        "floor_n": {"overall": 80, "per_class": {}},
    }  # fmt: skip


@pytest.fixture(scope="module")
def report():
    """80 real digits, called generated; the classifier misreads rows 5 and 15 (two 5s), CLIP row 5 alone."""
    source = RealSource("test")
    labels, seeds = source.plan(EACH)
    wrong = {"classifier": [5, 15], "second": [], "knn": [], "clip": [5]}
    table = make_table(labels.numpy(), np.arange(len(labels)), wrong)
    own = summarise(table, 10)
    real = summarise(make_table(labels.numpy(), seeds.numpy(), {judge: [] for judge in JUDGES}), 10)
    sets = {p + m: estimate(1.5 if m == "fd" else 0.75) for p in SPACES for m in ("fd", "recall")}
    empty = {str(d): {"fd": Estimate(None, None, None, EACH)} for d in range(10)}
    return Report(
        source=SourceInfo("m@12/s", "checkpoint", "mine", "mnist", source.class_names, "s4", {"steps": 4}, "12ab", 10),
        plan={"per_class": EACH, "seed": 0, "count": 80, "labels": list(range(10))},
        scorers=("classifier@1", "second@2", "knn:pixels@3", "clip:digit@4/default"),
        revision="abc",
        packages={"torch": "2"},
        created="2026-11-23T08:25:03+00:00",
        summary=own.joined({"overall": sets, "per_class": empty}),
        reference=real.joined({"overall": {m: estimate(e.value / 2) for m, e in sets.items()}}),
        table=table,
        images=source.images(labels, seeds),
        reasons={"overall": {"kid": "too few images"}, "per_class": {"5": {"fd": "too few 5s"}}},
        detectable={"overall": {"fd": 0.25}, "per_class": {}},
        details=details(table),
    )


@pytest.fixture(scope="module")
def page(report):
    return to_html(report)


@pytest.fixture(scope="module")
def unlabelled(report):
    """The same images when nobody said what they show."""
    table = report.table.assign(label=-1).drop(
        columns=[c for c in report.table if c.endswith(("_confidence", "clip_probability"))]
    )
    summary = summarise(table, 10)
    plan = report.plan | {"labels": []}
    reasons = {"overall": {"accuracy": "no labels", "clip_accuracy": "no labels"}, "per_class": {}}
    return replace(
        report, table=table, summary=summary, plan=plan, details={"findings": []}, reasons=reasons, detectable=NONE
    )


# ---------------------------------------------------------------- words and numbers


def test_every_metric_has_its_words():
    sets = {p + m for p in SPACES for m in ("fd", "kid", "precision", "recall", "density", "coverage", "vendi")}
    assert set(WORDS) == set(METRICS) | sets | {"cmmd"} and len(sets) == 28
    for key, word in WORDS.items():
        assert word.key == key and word.judge in NAMES and word.unit in ("%", "°", "px", "")
        assert word.better in ("higher", "lower", None) and word.group in ("judges", "sets", "shape", "memory")
        assert key not in METRICS or METRICS[key].scorer == word.judge
        for text in (word.can, word.cannot):
            assert text[0].isupper() and text.endswith(".") and "{" not in text and "  " not in text
    assert all(WORDS[m].better is None for m in MEASURES)
    assert len({(w.title, w.judge) for w in WORDS.values()}) == len(WORDS)


def test_numbers_are_as_exact_as_their_interval():
    assert show_estimate(wilson(1987, 2000)) == "99.35 % [98.89, 99.62]"
    assert show_estimate(wilson(9, 10)) == "90 % [60, 98]"
    assert show_estimate(Estimate(0.00061, 0.00041, 0.00081, 9), "") == "0.00061 [0.00041, 0.00081]"
    assert (
        show_estimate(Estimate(np.radians(-12.34), np.radians(-13), np.radians(-11), 9), "°") == "−12.3° [−13.0, −11.0]"
    )
    assert show_estimate(Estimate(1.0, 1.0, 1.0, 9)) == "100 % [100, 100]"
    assert show_estimate(Estimate(0.5, None, None, 1), "px") == "0.500 px"
    assert show_estimate(Estimate(None, None, None, 0)) == show_estimate(None) == "–" == show(float("nan"))
    assert show(-0.0001, "", 2) == "0.00" and show_interval(wilson(5, 10)) == "23.7 to 76.3 %"
    assert decimals([], "%") == 1 and decimals([Estimate(0.0, 0.0, 0.0, 5)], "") == 3


def test_a_difference_is_named_only_where_its_interval_leaves_out_zero():
    real, worse, near = wilson(990, 1000), wilson(960, 1000), wilson(985, 1000)
    assert difference(real, worse).high < 0 < difference(real, near).high
    assert against(worse, real, "higher") == ("below real images", "bad")
    assert against(real, worse, "higher") == ("above real images", "good")
    assert against(worse, real, "lower") == ("below real images", "good")
    assert against(worse, real, None) == ("below real images", "same")
    assert against(near, real, "higher") == ("no difference from real images", "same")
    assert against(worse, None, "higher") == against(worse, Estimate(0.5, None, None, 1), "higher") == ("", "")


def test_recognition_in_a_sentence(report):
    t50 = report.details["recognition"]["overall"]["t50"]
    says = "Half of the images are recognised for good by step 1 of 3, σ = 2.5 [0.5, 2.5] (n = 80)."
    assert half_recognised(t50, 3) == says
    never = dict.fromkeys(t50) | {"n": 80, "reason": "fewer than half"}
    assert half_recognised(never, 3) == "Half of the images are never recognised for good: fewer than half."


# ---------------------------------------------------------------- rows


def test_csv_gives_back_every_number_to_the_last_bit(report):
    read = list(csv.DictReader(io.StringIO(to_csv(report))))
    found = {(row["scope"], row["metric"]): row for row in read}
    assert len(found) == len(read) == len(rows(report))
    scopes = {"overall": report.metrics["overall"]} | report.metrics["per_class"]
    assert {key for key in found if key[1] != "kid"} == {(s, m) for s, metrics in scopes.items() for m in metrics}
    for (scope, metric), row in found.items():
        e = scopes[scope].get(metric, Estimate(None, None, None, 0))
        for name in ("value", "low", "high"):
            assert row[name] == ("" if getattr(e, name) is None else repr(float(getattr(e, name))))
        assert int(row["n"]) == e.n
    assert (
        float(found["overall", "accuracy"]["reference_value"]) == 1 and found["overall", "fd"]["detectable"] == "0.25"
    )
    assert found["overall", "kid"]["reason"] == "too few images" and found["5", "fd"]["reason"] == "too few 5s"
    assert found["overall", "pixels_fd"]["judge"] == "raw pixels"


def test_csv_holds_no_formula_and_only_what_was_asked_for(report):
    names = ("=1+1", "@x", "-2", "+3", *map(str, range(4, 10)))
    source = replace(report.source, class_names=names)
    some = replace(report, source=source, plan=report.plan | {"labels": [0, 1, 2, 3]})
    read = list(csv.DictReader(io.StringIO(to_csv(some))))
    assert [*dict.fromkeys(row["scope"] for row in read)] == ["overall", "'=1+1", "'@x", "'-2", "'+3"]


def test_markdown_table(report):
    text = markdown_table([report, report], report.reference, ["accuracy", "fd", "kid"])
    assert text.splitlines() == [
        "|  | mine, n = 80 | mine, n = 80 | real test images |",
        "| --- | --- | --- | --- |",
        "| Classifier accuracy | 97.5 % [91.3, 99.3] | 97.5 % [91.3, 99.3] | 100.0 % [95.4, 100.0], n = 80 |",
        "| Frechet distance in the classifier's features | 1.500 [1.490, 1.510] | 1.500 [1.490, 1.510] | "
        "0.750 [0.740, 0.760], n = 80 |",
        "| Kernel distance (KID) in the classifier's features | – | – | – |",
    ]


# ---------------------------------------------------------------- the page

VOID = {"meta", "br", "path", "circle"}


class Reader(HTMLParser):
    """Tags with their attributes, and text by the section it is in; AssertionError where tags do not match."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.text, self.section = [], [], {}, None
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append((tag, attributes))
        if tag == "section":
            self.section = attributes["id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.section and data.strip():
            self.text.setdefault(self.section, []).append(data.strip())


def tiles(page, size=28):
    """The pixels of every tile of the page in order, read back from the PNG in its style sheet."""
    png = re.search(r"data:image/png;base64,([\w+/=]+)", page)[1]
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(png))))
    places = re.findall(r'class="px"[^>]*--x:(\d+);--y:(\d+)', page)
    return [sheet[size * int(y) :, size * int(x) :][:size, :size] for x, y in places]


def test_page_has_every_section_and_needs_nothing_else(page, report):
    read = Reader(page)
    assert list(read.text) == [
        "findings", "headline", "classes", "samples", "confusion", "doubtful", "sets", "recognition", "shape",
        "closest", "accuracy-score", "words", "origin",
    ]  # fmt: skip
    assert not {tag for tag, _ in read.tags} & {"script", "link", "iframe", "img", "object", "form"}
    assert not any(key in ("src", "href", "srcset") or key.startswith("on") for _, a in read.tags for key in a)
    urls = re.findall(r"url\(\W*([a-z]+:)|https?:|@import", page)
    assert urls == ["data:"]
    assert "97.5 %" in read.text["headline"] and "below real images" not in read.text["headline"][:8]
    assert "too few images" in read.text["sets"] and "No value: too few 5s." in read.text["sets"]
    assert command(report) == "python -m app score mine --per-class 8 --seed 0 --steps 4 --cas"
    file = replace(report, source=replace(report.source, given="my digits.npz", sample=None), details={})
    assert command(file) == "python -m app score 'my digits.npz' --per-class 8 --seed 0"
    assert command(report) in read.text["origin"]


def test_page_shows_the_images_themselves(page, report):
    shown = tiles(page)
    order = [i for d in range(10) for i in np.flatnonzero(report.table.label == d)]
    assert all(np.array_equal(shown[k], report.images[i, 0]) for k, i in enumerate(order))
    worst, pair = shown[len(order)], shown[-2:]
    assert np.array_equal(worst, report.images[5, 0]), "two judges misread row 5, one row 15"
    assert np.array_equal(shown[len(order) + 1], report.images[15, 0])
    train = {p.tobytes() for p in (RealSource("train").data.images[41, 0].numpy(), report.images[3, 0].numpy())}
    assert {p.tobytes() for p in pair} == train


def test_page_counts_what_each_judge_reads(page, report):
    figures = re.findall(r"<figure><figcaption><b>(.*?)</b>.*?</figure>", page, re.S)
    assert figures[:4] == [NAMES[judge] for judge in JUDGES]
    found = re.findall(r'title="asked (\d), read (\d): (\d+) of 8">(\d*)<', page)
    counts = np.zeros((4, 10, 10), int)
    for k, (r, c, n, text) in enumerate(found):
        counts[k // 100, int(r), int(c)] = int(n)
        assert text == ("" if n == "0" else n)
    assert np.array_equal(counts, [report.confusions[judge] for judge in JUDGES])
    assert counts[0, 5, 6] == 2 and counts[3, 5, 6] == 1


def test_page_escapes_what_others_wrote(report):
    evil = '<script>alert("x")</script>'
    source = replace(report.source, name=evil, settings=evil, class_names=(evil, *report.source.class_names[1:]))
    hostile = replace(report, source=source, scorers=(*report.scorers, evil), revision=evil, packages={evil: evil})
    page = to_html(hostile)
    assert "<script" not in page and "&lt;script&gt;" in page and "5 is &lt;b&gt;wrong" in page
    Reader(page)
    card = to_card(hostile).split("---\n", 2)[2]
    assert not re.search(r"(?<!\\)<", re.sub(r"`[^`]*`", "", card)), "outside of code nothing is HTML"


def test_page_of_unlabelled_images_and_of_a_report_that_knows_little(unlabelled, report):
    read = Reader(to_html(unlabelled))
    assert list(read.text) == ["findings", "headline", "samples", "doubtful", "words", "origin"]
    assert "Nothing unusual was found" in read.text["findings"][1]
    assert "Not measured: Classifier accuracy, CLIP accuracy. Why: no labels." in read.text["headline"]
    assert "Judges least sure of what they read." in read.text["doubtful"][1]
    little = replace(
        report, table=report.table[["label", "seed"]], summary=summarise(report.table[["label", "seed"]], 10),
        reasons=NONE, detectable=NONE, details={},
    )  # fmt: skip
    assert list(Reader(to_html(little)).text) == ["samples", "words", "origin"]
    for some in (unlabelled, little):
        assert describe_report(some) and to_card(some) and to_csv(some)


def test_page_of_colour_images_keeps_their_colours(report):
    colours = torch.stack([report.images[:, 0], 255 - report.images[:, 0], report.images[:, 0] // 2], dim=1)
    page = to_html(replace(report, images=colours))
    assert np.array_equal(tiles(page)[0], colours[0].permute(1, 2, 0)) and "invert(1)" not in page
    assert "training image 41" in page and len(tiles(page)) == 80 + 24 + 1, "a grey digit is not beside a coloured one"


def test_bars_stand_where_their_numbers_are():
    e, real = Estimate(0.95, 0.92, 0.97, 100), Estimate(0.99, 0.98, 1.0, 1000)
    ends = axis([e, real], "%")
    assert ends == (0.9, 1.0)
    svg = interval(e, real, ends, 'a "b"')
    x = [round(4 + (BAR - 8) * (v - 0.9) / 0.1, 1) for v in (0.92, 0.97, 0.99, 0.95)]
    assert f"M{x[0]} 8.0H{x[1]}" in svg and f"M{x[2]} 2V" in svg and f'cx="{x[3]}"' in svg and "&#34;b&#34;" in svg
    assert (
        axis([Estimate(0.3, 0.2, 0.4, 9)], "%") == (0.0, 1.0)
        and interval(Estimate(None, None, None, 0), e, ends, "") == ""
    )
    low, high = axis([Estimate(3.0, 2.0, 4.0, 9)], "px")
    assert low < 2 and high > 4


def test_page_of_two_thousand_digits_fits_a_phone_and_a_mail(report, browser):
    many = replace(
        report, table=pd.concat([report.table] * 25, ignore_index=True), images=report.images.repeat(25, 1, 1, 1)
    )
    page = to_html(many)
    assert len(page.encode()) < 1_000_000
    tab, faults = browser.new_page(viewport={"width": 390, "height": 800}), []
    tab.on("console", lambda message: faults.append(message.text))
    tab.on("request", lambda request: request.url.startswith("http") and faults.append(request.url))
    tab.set_content(page)
    assert tab.evaluate("document.documentElement.scrollWidth") == 390 and faults == []
    look = "e => [getComputedStyle(e).imageRendering, e.offsetWidth, e.offsetHeight]"
    assert tab.locator("#samples .px").first.evaluate(look) == ["pixelated", 28, 28]


# ---------------------------------------------------------------- card, files, terminal


def test_card_is_read_by_the_hub_with_the_same_results(report):
    from huggingface_hub import ModelCard

    card = ModelCard(to_card(report))
    assert card.data.eval_results == results(report) and card.data.model_name == "mine"
    found = {r.metric_type: r for r in results(report)}
    accuracy = report.metrics["overall"]["accuracy"]
    assert found["accuracy"].metric_value == accuracy.value and found["accuracy"].metric_args["low"] == accuracy.low
    assert "kid" not in found and card.data.datasets == ["ylecun/mnist"]
    assert "97.5 % [91.3, 99.3]" in card.text and r"\<b\>wrong" in card.text


def test_card_gives_no_evidence_from_judges_it_was_trained_against(report):
    tuned = replace(report, source=replace(report.source, rewards=("clip:digit@4/default",)))
    found = {r.metric_type for r in results(tuned)}
    assert not found & {"clip_accuracy", "clip_probability", "clip_fd", "cmmd"} and {"accuracy", "fd"} <= found
    assert "no evidence: CLIP accuracy" in to_card(tuned)
    assert "Trained against clip" in to_html(tuned)


def test_files_are_written_whole_or_not_at_all(report, tmp_path, monkeypatch):
    paths = write_outputs(report, tmp_path / "new")
    assert [p.name for p in paths] == sorted(["report.html", "metrics.csv", "README.md"], key=len, reverse=True)[:2] + [
        "README.md"
    ]
    assert paths[0].read_text(encoding="utf-8") == to_html(report)
    assert paths[1].read_bytes() == to_csv(report).encode()
    before = {p: p.read_bytes() for p in paths}

    def fail(report):
        raise OSError("disk full")

    monkeypatch.setitem(outputs.OUTPUTS, "report.html", fail)
    with pytest.raises(OSError, match="disk full"):
        write_outputs(report, tmp_path / "new")
    assert {p: p.read_bytes() for p in (tmp_path / "new").iterdir()} == before


def test_page_and_terminal_of_real_digits_say_how_far_the_judges_can_be_trusted(report):
    p = torch.full((80, 10), 0.25 / 9)
    p[:, 4] = 0.75
    card = measured(p, torch.arange(80) % 10)  # sure to 75 %, right in 10 %
    real = replace(report, details=report.details | {"calibration": {"clip": card}})
    assert "calibration" not in Reader(to_html(report)).text
    said = Reader(to_html(real)).text["calibration"]
    assert {"10 % [5, 19] right, calibration error 65.00 %", "70 to 80 %", "10.0 % [5.2, 18.5]"} <= set(said)
    assert "Calibration error of the judges: CLIP 65.00 %." in describe_report(real)


def test_terminal_names_some_of_what_is_found_and_counts_the_rest(report):
    many = [{"text": f"5: fault {i}", "digits": [5]} for i in range(13)]
    text = describe_report(replace(report, details=report.details | {"findings": many, "missing": many}))
    assert "- 5: fault 9\n  and 3 more\n" in text and "- 5: fault 4\n  and 8 more\n" in text


def test_terminal_puts_faults_first_and_fits(report):
    lines = describe_report(report).splitlines()
    assert lines[:4] == ["mine: n = 80, seed 0, s4", "", "Found, worst first:", "- 5 is <b>wrong</b>."]
    assert max(map(len, lines)) <= 111
    five = next(line for line in lines if line.startswith("5 "))
    assert five.split()[:3] == ["5", "8", "75"] and "100 [68, 100]" in five
    text = "\n".join(lines)
    assert re.search(r"Frechet distance +1\.500 \[1\.490, 1\.510\] +0\.750 \[0\.740, 0\.760\] +0\.250 +80\n", text)
    assert "Half of the images are recognised for good by step 1 of 3" in text and "Suspected copies" in text
    assert "Kernel distance (KID) in the classifier's features. Why: too few images." in text
    assert "of 5. Why: too few 5s." in text
