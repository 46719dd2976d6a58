"""The folder of an export: who may write into it, the blocks that were finished, the set that takes their place.

Until all is done, everything lies in FOLDER/.unfinished: the plan, then a file a finished block. To go on, nothing
else is needed. A process that is killed anywhere leaves a folder in which the same command goes on, or finds nothing
left to do.
"""

import io
import json
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import torch

from diffusion_core.errors import UserError
from eval.atomic import atomic_file, sync
from eval.synthesis import Block, LeftOut

WORK, PLAN = ".unfinished", "plan.json"
RECORD = "export.json"  # there when all is
BYTES = 8192  # on disk a digit, with its block: a small file takes 4096


def prepared(out: Path, plan: dict) -> bool:
    """Whether there is something to do in `out`, which then holds the plan. `UserError` where it cannot be done."""
    try:
        if (out / RECORD).is_file():
            _same(out, plan, read_json(out / RECORD), "an export")
            shutil.rmtree(out / WORK, ignore_errors=True)
            return False
        work = out / WORK
        if (work / PLAN).is_file():
            _same(out, plan, read_json(work / PLAN), "an unfinished export")
            return True
        if out.is_dir() and any(path.name != WORK for path in out.iterdir()):
            raise UserError(f"{out} is not empty. Remove it, or give another --out.")
        work.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(out).free < BYTES * plan["count"]:
            raise UserError(f"Less than {BYTES * plan['count'] >> 20:,} MB are free at {out}. Make room first.")
        with atomic_file(work / PLAN) as beside:
            beside.write_text(json.dumps(plan, indent=1) + "\n")
    except OSError as error:
        raise UserError(f"{out} cannot be written to ({error.strerror}). Give another --out.") from None
    return True


def read_json(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        raise UserError(f"{path} is damaged. Remove the folder, or give another --out.") from None


def _same(out: Path, plan: dict, there: dict, what: str) -> None:
    """`UserError` that says in what the export that is there differs."""
    for key, value in plan.items():
        found = there.get(key)
        if found != value:
            if isinstance(value, dict) and isinstance(found, dict):
                key = next(k for k in sorted({*value, *found}) if value.get(k) != found.get(k))
                found, value = found.get(key), value.get(key)
            found, value = ("none" if it is None else it for it in (found, value))
            said = f"{out} holds {what} with {key} {found}, not {value}"
            raise UserError(f"{said}: give the same options, or another --out.")


def write_block(path: Path, block: Block) -> None:
    """Whole or not at all."""
    out = block.left_out
    arrays = {
        "images": block.images, "labels": block.labels, "seeds": block.seeds, "out_labels": out.labels,
        "out_seeds": out.seeds, "out_reasons": out.reasons, "out_values": out.values,
    }  # fmt: skip
    arrays |= {f"score_{name}": values for name, values in block.scores.items()}
    with atomic_file(path) as beside, open(beside, "wb") as file:
        np.savez_compressed(file, **{name: values.numpy() for name, values in arrays.items()})


def read_block(path: Path) -> Block:
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: torch.from_numpy(file[name]) for name in file.files}
    scores = {name.removeprefix("score_"): values for name, values in arrays.items() if name.startswith("score_")}
    out = LeftOut(*(arrays[f"out_{name}"] for name in ("labels", "seeds", "reasons", "values")))
    return Block(arrays["images"], arrays["labels"], arrays["seeds"], scores, out)


def zipped(out: Path) -> bytes:
    """All files of a finished set as the bytes of a .zip, the same for the same set."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(path for path in out.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(out).as_posix())  # dated 1980, whatever the file says
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def move(made: Path, out: Path) -> None:
    """Put every part of the set into its place; the record, which says that all is there, comes last."""
    for path in sorted(made.iterdir(), key=lambda path: path.name == RECORD):
        target = out / path.name
        if target.is_dir():
            shutil.rmtree(target)
        os.replace(path, target)
    sync(out)
