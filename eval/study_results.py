"""What is written about a study: table, plot and conclusion, all made of its rows and of nothing else."""

import json
from collections.abc import Sequence
from pathlib import Path

from eval.atomic import atomic_file
from eval.study import Study, jobs
from eval.study_plot import svg
from eval.study_table import table, to_csv

TABLE, RESULT, PLOT = "table.csv", "result.json", "plot.svg"


def results(study: Study, rows: Sequence[dict]) -> dict[str, str]:
    """{file name: content}."""
    verdict, sentences = study.conclude(rows)
    found = {
        "study": study.name,
        "claim": study.claim,
        "verdict": verdict,
        "sentences": list(sentences),
        "runs": len(rows),
        "of": len(jobs(study)),
        "revisions": sorted({row["revision"] for row in rows}),
    }
    variants = list(dict.fromkeys((*study.variants, *sorted({row["variant"] for row in rows}))))  # real digits last
    lines = table(rows, variants)
    return {
        TABLE: to_csv(lines),
        PLOT: svg(lines, study.metric),
        RESULT: json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
    }


def write(study: Study, rows: Sequence[dict], folder: Path) -> None:
    """All of them into `folder`, each whole or not at all."""
    for name, content in results(study, rows).items():
        with atomic_file(folder / name) as beside:
            beside.write_text(content)
