"""The files that people take out of a report: a page, a table for a spreadsheet, a model card."""

from pathlib import Path

from eval.atomic import atomic_file
from eval.html import to_html
from eval.model_card import to_card
from eval.report import Report
from eval.tidy import to_csv

OUTPUTS = {"report.html": to_html, "metrics.csv": to_csv, "README.md": to_card}


def write_outputs(report: Report, folder: str | Path) -> list[Path]:
    """Write every file of `OUTPUTS` into `folder` (a report's), each whole or not at all; their paths."""
    paths = []
    for name, make in OUTPUTS.items():
        path = Path(folder) / name
        with atomic_file(path) as beside:
            beside.write_bytes(make(report).encode("utf-8"))
        paths.append(path)
    return paths
