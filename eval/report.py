"""Reports: the table of scores, the images, and what was computed from them, in one folder.

    report.json      source, plan, scorers, provenance, metrics, confusions, reference, details; strict JSON
    samples.parquet  one row per image: label, seed, every score column
    images.npz       row i of the table is image i (left out for real images: the data set has them)

A folder appears whole or not at all; readers verify checksums, schema and row counts.
"""

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from eval.atomic import atomic_folder
from eval.errors import UserError
from eval.forms import at_hand, form
from eval.npz import read_npz, write_npz
from eval.report_files import IMAGES, JSON, SCHEMA, TABLE, read_head, read_table, sha256
from eval.sources import RealSource, SourceInfo
from eval.summary import Summary


def standard(dataset: str) -> tuple[str, ...]:
    """Names of the scorers that the id of a report on this data set need not list."""
    data = form(dataset)
    strokes = ("shape",) if data.strokes else ()
    return ("classifier", "second", "knn:pixels", f"clip:{data.noun}", *strokes, "neighbours")


def nothing() -> dict[str, dict]:
    """The form of `reasons` and `detectable` where there is nothing to say."""
    return {"overall": {}, "per_class": {}}


@dataclass(frozen=True, eq=False)
class Report:
    """One evaluation. `table` (pandas: label, seed, score columns) is the truth; `summary` follows from it.

    `plan`: {"per_class": int | None, "seed": int, "count": int, "labels": [classes asked for]}.
    `scorers`: ids. `reference`: the summary of real test images under the same scorers: all of them for what
    is scored image by image, as many as here for what compares sets (the floor).
    `images`: uint8 [N, C, H, W], image i belonging to row i of the table; None where they are real ones of a data set
    that is not on this machine.
    `reasons`: why a metric has no value, {"overall": {metric: text}, "per_class": {"0": {metric: text}}}.
    `detectable`: in the same form, the smallest difference from `reference` that this many images can show.
    `details`: whatever else was found, plain JSON, by section: "findings", "recognition", "missing", ...
    """

    source: SourceInfo
    plan: dict
    scorers: tuple[str, ...]
    revision: str
    packages: dict[str, str]
    created: str  # UTC, ISO 8601
    summary: Summary
    reference: Summary
    table: pd.DataFrame
    images: Tensor | None
    reasons: dict[str, dict] = field(default_factory=nothing)
    detectable: dict[str, dict] = field(default_factory=nothing)
    details: dict = field(default_factory=dict)

    @property
    def metrics(self) -> dict[str, dict]:
        """{"overall": {metric: Estimate}, "per_class": {"0": {metric: Estimate}, ...}}."""
        return self.summary.metrics

    @property
    def confusions(self) -> dict[str, list[list[int]]]:
        """{judge: counts}: rows = class asked for, columns = class judged."""
        return self.summary.confusions

    @property
    def tuned(self) -> frozenset[str]:
        """Kinds of scorers that the source was trained against: what these say of it is no evidence."""
        kinds = {kind_of(scorer) for scorer in self.scorers}
        return frozenset(kinds & {kind_of(reward) for reward in self.source.rewards})

    @property
    def id(self) -> str:
        """The name of its folder, such as "p100-s0-dpmpp2m10-g1.25": p<per class>-s<seed>-<settings>.

        Scorers are named where they are not the standard ones.
        """
        per_class, seed = self.plan["per_class"], self.plan["seed"]
        parts = ["all" if per_class is None else f"p{per_class}", f"s{seed}", self.source.settings]
        names = tuple(scorer.split("@")[0] for scorer in self.scorers)
        if names != standard(self.source.dataset):
            parts.append("+".join(names))
        return re.sub(r"[^A-Za-z0-9._+-]+", "-", "-".join(filter(None, parts)))[:120]

    def to_dict(self) -> dict:
        """The content of report.json, save for the checksums of the files beside it."""
        return {
            "schema": SCHEMA,
            "source": asdict(self.source),
            "plan": self.plan,
            "scorers": list(self.scorers),
            "revision": self.revision,
            "packages": self.packages,
            "created": self.created,
            **self.summary.to_dict(),
            "reference": self.reference.to_dict(),
            "reasons": self.reasons,
            "detectable": self.detectable,
            "details": self.details,
        }

    def save(self, folder: str | Path) -> None:
        """Write the folder, in place of an older report. OSError where the disk refuses."""
        with atomic_folder(Path(folder)) as beside:
            table = pa.Table.from_pandas(self.table, preserve_index=False)
            pq.write_table(table, beside / TABLE, compression="zstd")
            if self.source.kind != "real":
                write_npz(beside / IMAGES, self.images, *_keys(self.table))
            files = {path.name: sha256(path.read_bytes()) for path in sorted(beside.iterdir())}
            text = json.dumps(self.to_dict() | {"files": files}, indent=1, allow_nan=False)
            (beside / JSON).write_text(text + "\n", encoding="utf-8")


def load(folder: str | Path) -> Report:
    """Read and verify a report. `UserError` names the file that is missing, damaged or of another version."""
    folder = Path(folder)
    head = read_head(folder)
    try:
        table = read_table(folder, head)
        source = SourceInfo(**{key: _frozen(value) for key, value in head["source"].items()})
        return Report(
            source=source,
            plan=head["plan"],
            scorers=tuple(head["scorers"]),
            revision=head["revision"],
            packages=head["packages"],
            created=head["created"],
            summary=Summary.from_dict(head),
            reference=Summary.from_dict(head["reference"]),
            table=table,
            images=_load_images(folder, source, table),
            reasons=head["reasons"],
            detectable=head["detectable"],
            details=head["details"],
        )
    except (pa.ArrowInvalid, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{folder / JSON} is not a report of this form ({error}). Score again.") from None


def saved(folder: str | Path) -> list[Path]:
    """Folders of the complete reports under `folder` (a checkpoint's `reports/`), sorted by name."""
    return sorted(path.parent for path in Path(folder).glob(f"*/{JSON}") if not path.parent.name.startswith("."))


def kind_of(scorer: str) -> str:
    """ "clip:ViT-B-32@0123" -> "clip": the kind of scorer that an id, or the name of a reward, belongs to."""
    return re.split("[:@/]", scorer)[0]


def _load_images(folder: Path, source: SourceInfo, table: pd.DataFrame) -> Tensor | None:
    """The images of a table's rows: from the file; where they are real from the data set, if that is here."""
    labels, seeds = _keys(table)
    if source.kind == "real":
        if not at_hand(source.dataset):
            return None
        real = RealSource(source.id.rsplit("-", 1)[1].split("@")[0], source.dataset)
        if real.id != source.id:
            raise UserError(f"{folder / JSON} is about other real images than the data folder's. Score again.")
        return real.images(labels, seeds)
    images, image_labels, image_seeds = read_npz(folder / IMAGES)
    if not (torch.equal(labels, image_labels) and torch.equal(seeds, image_seeds)):
        raise UserError(f"{folder / IMAGES} and {TABLE} are not about the same images. Score again.")
    return images


def _frozen(value):
    """JSON's lists are tuples in a `SourceInfo`."""
    return tuple(value) if isinstance(value, list) else value


def _keys(table: pd.DataFrame) -> tuple[Tensor, Tensor]:
    """Labels and seeds of a table, int64 [N] each."""
    return tuple(torch.tensor(table[column].to_numpy()) for column in ("label", "seed"))
