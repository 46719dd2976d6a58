"""Write what the studies found into docs/studies.md, between its marks: python -m benchmarks.studies"""

from app import studying
from diffusion_core.data import ROOT
from eval.studies import STUDIES
from eval.study import Study, jobs

DOCUMENT = ROOT / "docs" / "studies.md"
MARKS = "<!-- table: python -m benchmarks.studies -->", "<!-- end of table -->"


def main() -> None:
    """Replace what stands between the marks."""
    rows = {name: studying.read_rows(studying.STUDIES / name) for name in STUDIES}
    DOCUMENT.write_text(written(DOCUMENT.read_text(), rows))


def written(text: str, rows: dict[str, list[dict]]) -> str:
    """The document with the table of `rows`, {study: its rows}."""
    before, _, rest = text.partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    lines = ["| study | the report says | verdict | measured |", "| --- | --- | --- | --- |"]
    lines += [line(study, rows[name]) for name, study in STUDIES.items()]
    return f"{before}{MARKS[0]}\n\n" + "\n".join(lines) + f"\n\n{MARKS[1]}{after}"


def line(study: Study, rows: list[dict]) -> str:
    """A row of the table."""
    if len(rows) < len(jobs(study)):
        return f"| `{study.name}` | {study.claim} | not run | |"
    verdict, sentences = study.conclude(rows)
    return f"| `{study.name}` | {study.claim} | **{verdict}** | {' '.join(sentences)} |"


if __name__ == "__main__":
    main()
