"""The looks at a run, `evaluations.jsonl`: a line a look, what the judges made of the same images then. No gradio."""

import json
from pathlib import Path

from diffusion_core.errors import UserError

LOOKS = "evaluations.jsonl"


def read(folder: Path) -> list[dict]:
    """Every look so far; a last line still being written is left out. `UserError` where the file is damaged."""
    path = folder / LOOKS
    lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
    try:
        rows = [json.loads(line) for line in lines]
        if not all(isinstance(row["images"], int) for row in rows):
            raise ValueError
    except (ValueError, TypeError, KeyError):
        raise UserError(f"The looks at {folder.name} are damaged: {LOOKS} is not one JSON object a line.") from None
    return rows
