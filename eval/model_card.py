"""A report as a model card: README.md text whose front matter the Hugging Face Hub reads, and a short table."""

from eval.formats import plural
from eval.html import command, date
from eval.metrics import Estimate
from eval.report import Report
from eval.summary import METRICS
from eval.tidy import markdown_table, plain
from eval.words import WORDS, full_title

MAIN = (
    "accuracy", "second_accuracy", "knn_accuracy", "clip_accuracy", "clip_probability", "disagreement",
    "fd", "kid", "precision", "recall", "density", "coverage", "vendi", "second_fd", "pixels_fd", "clip_fd", "cmmd",
    "memorised",
)  # fmt: skip
HUB = {  # data sets under their name on the Hub
    "mnist": "ylecun/mnist",
    "fashion": "zalando-datasets/fashion_mnist",
    "cifar10": "uoft-cs/cifar10",
}
TASK = ("image-generation", "Class-conditional image generation")


def to_card(report: Report) -> str:
    """YAML front matter with a `model-index`, then a card for people. Values stand in the units of the report."""
    from huggingface_hub import ModelCardData

    source = report.source
    data = ModelCardData(
        model_name=source.name,
        tags=["diffusion", "image-generation", "evaluation"],
        datasets=[HUB[source.dataset]] if source.dataset in HUB else None,
        metrics=["accuracy"] if "accuracy" in report.metrics["overall"] else None,
        eval_results=results(report) or None,
    )
    return f"---\n{data.to_yaml()}\n---\n\n{_body(report)}"


def results(report: Report) -> list:
    """`huggingface_hub.EvalResult`s of the main metrics that were measured, their interval and n in `metric_args`.

    What the source was trained against is left out: a score that was optimised is no evidence.
    """
    from huggingface_hub import EvalResult

    dataset, found = report.source.dataset, report.metrics["overall"]
    return [
        EvalResult(
            task_type=TASK[0],
            task_name=TASK[1],
            dataset_type=HUB.get(dataset, dataset),
            dataset_name=dataset,
            dataset_split="test",
            metric_type=metric,
            metric_name=full_title(WORDS[metric]),
            metric_value=found[metric].value,
            metric_args=_arguments(found[metric]),
        )
        for metric in MAIN
        if metric in found and found[metric].value is not None and metric not in _optimised(report)
    ]


def _arguments(entry: Estimate) -> dict:
    interval = {} if entry.low is None else {"low": entry.low, "high": entry.high}
    return {"n": entry.n, **interval}


def _optimised(report: Report) -> set[str]:
    """Metrics of the judges that the source was trained against."""
    return {m for m in MAIN if (METRICS[m].scorer if m in METRICS else WORDS[m].judge) in report.tuned}


def _body(report: Report) -> str:
    source, plan = report.source, report.plan
    shown = [m for m in MAIN if m in report.metrics["overall"] and report.metrics["overall"][m].value is not None]
    settings = f" at {_code(source.settings)}" if source.settings else ""
    parts = [
        f"# {plain(source.name)}",
        f"{plural(plan['count'], 'image')}{settings}, seed {plan['seed']}, judged on {date(report)}. "
        "Values with 95 % intervals; beside them what real test images score: the ceiling of what is scored image "
        "by image, the floor of what compares sets of images.",
        markdown_table([report], report.reference, shown).rstrip(),
        *_warning(report, shown),
        *_findings(report),
        f"Again: {_code(command(report))} at revision {_code(report.revision)}. Judges: "
        + ", ".join(map(_code, report.scorers))
        + ".",
        "## What the numbers can and cannot say",
        "\n".join(f"- **{full_title(WORDS[m])}.** {WORDS[m].can} {WORDS[m].cannot}" for m in shown),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _warning(report: Report, shown: list[str]) -> list[str]:
    optimised = [full_title(WORDS[m]) for m in shown if m in _optimised(report)]
    return [f"Trained against these, which therefore are no evidence: {', '.join(optimised)}."] if optimised else []


def _findings(report: Report) -> list[str]:
    if "findings" not in report.details:
        return []
    lines = [f"- {plain(found['text'])}" for found in report.details["findings"]]
    return ["## What was found", "\n".join(lines) or "Nothing unusual."]


def _code(text: str) -> str:
    """Foreign text inside backticks."""
    return f"`{text.replace('`', chr(39))}`"
