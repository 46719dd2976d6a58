"""docs/benchmarks.md: the tables of benchmarks/results/, and a plot of how cost grows."""

import json
from collections.abc import Callable

from diffusion_core.data import ROOT

RESULTS = ROOT / "benchmarks" / "results"
DOCUMENT, PLOT = ROOT / "docs" / "benchmarks.md", ROOT / "docs" / "cost.svg"
HEAD = """# What everything costs

Written by `python -m benchmarks` from `benchmarks/results/*.json`; the parts of a run are measured one after the other
on an otherwise idle machine. Times are medians; GFLOP count 2 a multiply-add; the share is of a square matrix product
of the same precision in the same run. Ratios are between rows of the same run.
"""


def write() -> None:
    """The document, and the plot if `sampling` was measured."""
    found = {path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))}
    parts = [HEAD, *(TABLES[part](found[part]) for part in TABLES if part in found)]
    DOCUMENT.write_text("\n".join(parts).rstrip("\n") + "\n")
    if "sampling" in found:
        PLOT.write_text(plot(found["sampling"]["found"]["growth"]))


def sampling(record: dict) -> str:
    rows = [
        (
            f"`{r['checkpoint']}`", r["steps"], r["network_calls"], r["precision"], f"{r['images_per_second']:,.0f}",
            f"{r['ten_digits_ms']:,.0f}", f"{r['mflop_a_call']:.0f}", f"{r['gflops']:.0f}",
            f"{r['share_of_matmul']:.0%}",
        )
        for r in record["found"]["checkpoints"]
    ]  # fmt: skip
    heads = (
        "checkpoint", "steps", "network calls", "precision", "images/s", "ten digits, ms", "MFLOP a call", "GFLOP/s",
        "share",
    )  # fmt: skip
    cost = "![Images a second of one call by batch, calls, width and size of image](cost.svg)"
    return section("Sampling", "sampling", record, table(heads, rows), cost)


def peers(record: dict) -> str:
    ours = list(record["found"][0]["ratios"])
    ours = [name for name in ours if name.endswith("bfloat16")] or ours
    rows = [
        (
            r["peer"], r["precision"], r["network_calls"], f"{r['mflop_a_call']:.0f}", f"{r['images_per_second']:.3g}",
            *(f"{r['ratios'][name]:,.0f}x" for name in ours),
        )
        for r in record["found"]
    ]  # fmt: skip
    heads = (
        "peer",
        "precision",
        "network calls",
        "MFLOP a call",
        "images/s",
        *(f"`{n.split(',')[0]}`,{n.split(',')[1]}" for n in ours),
    )
    said = "How many times as fast this project draws, in bfloat16 where the processor has it."
    return section("Peers", "peers", record, table(heads, rows), said)


def quality(record: dict) -> str:
    rows = [
        (
            f"`{r['checkpoint']}`" if r["steps"] else r["checkpoint"], r["steps"] or "", r["network_calls"] or "",
            accuracy(r), f"{r['fd']:.3f}", f"{r['fd_over_floor']:.2f}", f"{r['recall']:.3f}",
            f"{r['coverage_over_real']:.3f}",
        )
        for r in record["found"]
    ]  # fmt: skip
    heads = ("checkpoint", "steps", "network calls", "accuracy", "FD", "FD / floor", "recall", "coverage / real's")
    said = "n = 10,000 for every row; by the classifier, which chose nothing (`benchmarks/quality.py`)."
    return section("Quality", "quality", record, table(heads, rows), said)


def cas(record: dict) -> str:
    rows = [
        (f"`{r['checkpoint']}`", r["steps"], f"{r['drawn']:,}", accuracy(r), f"{r['seconds_drawing'] / 60:.1f}")
        for r in record["found"]
    ]
    heads = ("drawn by", "steps", "digits", "right of 10,000 real test digits", "minutes of drawing")
    said = "The network and training of the judge `classifier`, which reads 99.67 % after the 60,000 real digits."
    return section("Learned from drawn digits alone", "cas", record, table(heads, rows), said)


def synthetic(record: dict) -> str:
    rows = [
        (
            f"{r['real']:,}" if r["real"] else "none",
            f"{r['drawn']:,} by `{r['generator']}`" if r["generator"] else "none",
            r["filters"] or "none", accuracy({"accuracy": a["value"], "accuracy_interval": (a["low"], a["high"])}),
        )
        for r in record["found"] for a in [r["accuracy"]]
    ]  # fmt: skip
    heads = ("real digits", "synthetic digits", "filters", "right of 10,000 real test digits")
    said = (
        f"Means of {record['found'][0]['accuracy']['n']} trainings, 95 % intervals over them "
        "(`benchmarks/synthetic.py`). `mnist` has seen all 60,000 training digits: few real digits and digits of it "
        "are no result of few digits. `mnist-1000` has seen the 1,000 real digits of the rows, and no other."
    )
    return section("Real and synthetic digits", "synthetic", record, table(heads, rows), said)


def accuracy(row: dict) -> str:
    low, high = row["accuracy_interval"]
    return f"{row['accuracy']:.2%} [{100 * low:.2f}, {100 * high:.2f}]"


def app(record: dict) -> str:
    rows = [(r["what"], f"{r['seconds']:.2f}") for r in record["found"]]
    return section("The page", "app", record, table(("waited for", "s"), rows))


def scoring(record: dict) -> str:
    rows = [
        (f"{r['n']:,} images, {r['what']}", f"{r['seconds']:.0f}", f"{r['image_by_image']:.0f}")
        for r in record["found"]["rows"]
    ]
    peak = f"Peak memory {record['found']['peak_gb']:.1f} GB."
    return section("Scoring", "scoring", record, table(("what", "s", "of them image by image"), rows), peak)


def training(record: dict) -> str:
    found, goal = record["found"], record["found"]["goal"]
    rows = [
        (
            f"{r['minutes']:.1f}",
            f"{r['images']:,}",
            f"{r['accuracy']:.2%}",
            f"{r['fd_over_floor']:.1f}",
            f"{r['recall']:.3f}",
        )
        for r in found["curve"]
    ]
    took = f"{found['minutes_to_goal']:.1f} minutes" if found["minutes_to_goal"] else "not reached"
    said = (
        f"Preset `{found['preset']}`, {found['images_per_second']:.0f} images/s. {goal['accuracy']:.0%} accuracy and "
        f"FD at {goal['fd_over_floor']:g} times its floor, n = {goal['n']:,}, by the classifier: {took}."
    )
    heads = ("minutes", "images", "accuracy", "FD / floor", "recall")
    return section("Training", "training", record, table(heads, rows), said)


def hand(record: dict) -> str:
    found, real = record["found"], record["found"]["examples"]
    rows = [(f"{r['variation']:g}", f"{r['thickness']:.3f}", f"{57.3 * r['slant']:.1f}") for r in found["hands"]]
    arc, line = (row["read_as_an_end"] for row in found["walks"])
    said = (
        f"Standard deviation within ten digits, n = {found['hands'][0]['n']} hands of each; variation 1 is ten "
        f"unrelated noises. From {real['n']} real test digits as examples, correlation with the ten digits drawn: "
        f"thickness {real['correlation_thickness']:.2f}, slant {real['correlation_slant']:.2f}; their noises have a "
        f"standard deviation of {real['noise_deviation']:.2f} and a kurtosis of {real['noise_kurtosis']:.2f}, and "
        f"draw them again to {real['grey_levels_off']:.1f} grey levels. Between two classes {arc:.1%} of the inner "
        f"frames are read as either on an arc, {line:.1%} on a straight line (n = {found['walks'][0]['n']})."
    )
    heads = ("variation", "thickness, px", "slant, degrees")
    return section("One hand", "hand", record, table(heads, rows), said)


TABLES: dict[str, Callable[[dict], str]] = {
    "quality": quality, "sampling": sampling, "peers": peers, "training": training, "cas": cas, "synthetic": synthetic,
    "app": app, "scoring": scoring, "hand": hand,
}  # fmt: skip


def section(title: str, part: str, record: dict, *texts: str) -> str:
    """A heading, what ran, and the texts."""
    machine = record["machine"]
    rates = ", ".join(f"{name} {rate:.0f}" for name, rate in machine["matmul_gflops"].items())
    ran = (
        f"`python -m benchmarks {part}` at {record['revision']}: {machine['processor']}, {machine['threads']} threads, "
        f"torch {machine['torch']}; matrix product {rates} GFLOP/s."
    )
    return "\n\n".join([f"## {title}", ran, *texts]) + "\n"


def table(heads: tuple, rows: list[tuple]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


# ---------------------------------------------------------------------------
# The plot: four small panels of bars.

WIDTH, HEIGHT, PANEL = 820, 230, 205
PANELS = (("batch", "batch"), ("calls", "calls"), ("width", "channels"), ("size", "size"))


def plot(growth: dict) -> str:
    """SVG: images a second of the `mnist` network by batch, calls, width and size of image."""
    parts = []
    for i, (key, field) in enumerate(PANELS):
        rows, left = growth[key], 12 + i * PANEL
        top = max(r["images_per_second"] for r in rows)
        step = (PANEL - 34) / len(rows)
        parts.append(f'<text x="{left}" y="18" font-weight="600">{key}</text>')
        for k, r in enumerate(rows):
            rate, x = r["images_per_second"], left + k * step
            tall, middle = 150 * rate / top, x + step * 0.4
            name = "/".join(map(str, r[field])) if isinstance(r[field], list) else r[field]
            bar = f'x="{x:.1f}" y="{190 - tall:.1f}" width="{step * 0.8:.1f}" height="{tall:.1f}" fill="#5b7cfa"'
            parts.append(f"<rect {bar}/>{label(middle, 205, 9, name)}{label(middle, 185 - tall, 8, short(rate))}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12" fill="#444"><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>{"".join(parts)}'
        f'<text x="12" y="224" font-size="10">images a second, higher is faster</text></svg>\n'
    )


def label(x: float, y: float, size: int, text: object) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" font-size="{size}">{text}</text>'


def short(rate: float) -> str:
    return f"{rate / 1000:.1f}k" if rate >= 1000 else f"{rate:.0f}"
