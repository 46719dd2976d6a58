"""What the Hub demands of a Space's folder, and what must never get there. Every problem is one line."""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from app.space_imports import uncovered
from diffusion_core.errors import UserError

MEGABYTE = 1_000_000
MOST_FILE, MOST_ALL = 10 * MEGABYTE, 1000 * MEGABYTE  # above: the Hub's large-file storage; its free disk for a Space
PICKLES = {".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".bin"}
SECRET_NAME = re.compile(
    r"^\.env|^\.netrc$|^id_(rsa|ed25519)|\.(pem|key)$|(^|[._-])(tokens?|secrets?|passwords?|credentials?)([._-]|$)",
    re.I,
)
SECRET_TEXT = re.compile(rb"\bhf_[A-Za-z0-9]{30,}|-----BEGIN [A-Z ]*PRIVATE KEY-----")
COLOURS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
LONGEST = 60  # characters of the short description


def problems(folder: Path, gradio: str) -> list[str]:
    """Everything that is wrong with the folder of a Space, which must use this version of gradio."""
    files = sorted(path for path in folder.rglob("*") if path.is_symlink() or path.is_file())
    found = [f"{path.relative_to(folder)}: {line}" for path in files for line in file_problems(path)]
    total = sum(path.lstat().st_size for path in files)
    if total > MOST_ALL:
        found.append(f"The folder holds {total / MEGABYTE:,.0f} MB; 1 GB is the most. Leave out some checkpoints.")
    return [*found, *front_matter_problems(folder, gradio), *uncovered(folder)]


def file_problems(path: Path) -> Iterator[str]:
    """What is wrong with one file."""
    if path.is_symlink():
        yield "a symbolic link. Put the file itself there."
        return
    size = path.stat().st_size
    if size >= MOST_FILE:
        yield f"{size / MEGABYTE:.1f} MB; a file must stay under 10 MB. Make it smaller, or leave it out."
    if path.suffix.lower() in PICKLES:
        yield "a pickle can run code when it is loaded. Save the weights as safetensors."
    if path.suffix == ".safetensors" and not is_safetensors(path):
        yield "not a safetensors file, perhaps a pointer to one. Fetch or save the weights again."
    if SECRET_NAME.search(path.name) or (size < MEGABYTE and SECRET_TEXT.search(path.read_bytes())):
        yield "looks like a secret. Remove it; the Hub has a place for secrets in the Space's settings."


def is_safetensors(path: Path) -> bool:
    """Whether the file's header can be read and its length is right."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np"):
            return True
    except (SafetensorError, OSError):
        return False


def front_matter_problems(folder: Path, gradio: str) -> Iterator[str]:
    """What is wrong with the settings on top of README.md."""
    try:
        settings = front_matter(folder / "README.md")
    except UserError as error:
        yield str(error)
        return
    for key, (is_good, wanted) in rules(folder, gradio).items():
        value = settings.get(key)
        if not isinstance(value, str) or not is_good(value):
            said = "is missing" if value is None else f"is {str(value)[:80]!r}"
            yield f"README.md: {key} {said}. It must be {wanted}."


def rules(folder: Path, gradio: str) -> dict:
    """Setting -> (whether a text is right, what it must be in words)."""
    colours = (COLOURS.__contains__, f"one of {', '.join(COLOURS)}")
    return {
        "title": (bool, "the name of the Space"),
        "emoji": (lambda text: text and not text.isascii(), "one emoji"),
        "colorFrom": colours,
        "colorTo": colours,
        "sdk": ("gradio".__eq__, "gradio"),
        "sdk_version": (gradio.__eq__, f"{gradio}, as requirements.lock has it"),
        "python_version": (re.compile(r"3\.\d\d(\.\d+)?").fullmatch, 'a version in quotes, such as "3.11"'),
        "app_file": (lambda name: name == "demo.py" and (folder / name).is_file(), "demo.py, a file of the folder"),
        "license": (bool, "a licence, such as mit"),
        "short_description": (lambda text: 0 < len(text) <= LONGEST, f"a text of 1 to {LONGEST} characters"),
    }


def front_matter(path: Path) -> dict:
    """The YAML between the two lines "---" on top of a file; `UserError` where there is none."""
    text = path.read_text(errors="replace") if path.is_file() else ""
    block = re.match(r"---\n(.*?)\n---\n", text, re.S)
    try:
        found = yaml.safe_load(block[1]) if block else None
    except yaml.YAMLError as error:
        raise UserError(f"README.md: the front matter is no YAML ({str(error).splitlines()[0]}). Correct it.") from None
    if not isinstance(found, dict):
        raise UserError(
            'README.md: there is no front matter. Put the Space\'s settings on top, between two lines "---".'
        )
    return found
