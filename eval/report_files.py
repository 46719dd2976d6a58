"""Reading the files of a report with distrust: keys, schema, checksums, row counts."""

import hashlib
import io
import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from eval.errors import UserError

SCHEMA = 2
JSON, TABLE, IMAGES = "report.json", "samples.parquet", "images.npz"
KEYS = {
    "schema", "source", "plan", "scorers", "revision", "packages", "created", "metrics",
    "confusion", "second_confusion", "knn_confusion", "clip_confusion",
    "reference", "reasons", "detectable", "details", "files",
}  # fmt: skip


def read_head(folder: Path) -> dict:
    """report.json, its keys and schema checked."""
    path = folder / JSON
    try:
        head = json.loads(_read(path), parse_constant=_refuse)
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}). Score again.") from None
    if not isinstance(head, dict) or head.get("schema") != SCHEMA:
        found = head.get("schema") if isinstance(head, dict) else None
        raise UserError(f"{path} has schema {found!r}; this version reads {SCHEMA}. Score again.")
    for key in sorted(KEYS ^ head.keys()):
        what = "unknown" if key in head else "missing"
        raise UserError(f"{path}: key '{key[:80]}' is {what}. Score again.")
    return head


def read_table(folder: Path, head: dict) -> pd.DataFrame:
    """The table, once every file beside report.json has the checksum that it vouches for."""
    for name, digest in head["files"].items():
        if name not in (TABLE, IMAGES) or sha256(_read(folder / name)) != digest:
            raise UserError(f"{folder / name} is damaged (not what {JSON} vouches for). Score again.")
    table = pq.read_table(io.BytesIO(_read(folder / TABLE))).to_pandas()
    if len(table) != head["plan"]["count"]:
        raise UserError(f"{folder / TABLE} has {len(table)} rows, not {head['plan']['count']}. Score again.")
    return table


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _refuse(token: str) -> None:
    raise ValueError(f"{token} is not JSON")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise UserError(f"{path} is missing or cannot be read. Score again.") from None
