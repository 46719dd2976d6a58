"""A visitor's own samples: a small .npz or .zip as `python -m app score` takes it, read with distrust. No gradio."""

import zipfile
from pathlib import Path

from diffusion_core.errors import UserError
from eval.sources import ImageSource, open_source

SUFFIXES = (".npz", ".zip")
MAX_BYTES = 2 << 20
MAX_UNPACKED = 16 << 20  # bytes of all files within; 2,000 images of 32 x 32 in colour need 6 million
MAX_IMAGES = 2_000


def opened(path: Path, dataset: str) -> ImageSource:
    """The images of a file with their labels, and seeds if it has them. `UserError` in one line for any other file.

    They must have the form of the data set's.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UserError("Give an .npz file, or a .zip of images.")
    if path.stat().st_size > MAX_BYTES:
        raise UserError(f"{path.name} is larger than {MAX_BYTES >> 20} MB. Give fewer images.")
    _check_unpacked(path)
    try:
        source = open_source(str(path), dataset=dataset)
        labels, _ = source.plan(None)
    except UserError as error:
        raise UserError(str(error).replace(f"{path.parent}/", "")) from None
    if len(labels) > MAX_IMAGES:
        raise UserError(f"{path.name} holds {len(labels):,} images; at most {MAX_IMAGES:,} are judged here.")
    if not source.info.labelled:
        raise UserError(f"{path.name} does not say which class each image should show. Add labels and try again.")
    return source


def _check_unpacked(path: Path) -> None:
    """Both forms are zip files: what they would fill in memory is read from their directory before anything else."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        raise UserError(f"{path.name} is damaged, or neither an .npz nor a .zip file.") from None
    if size > MAX_UNPACKED:
        raise UserError(f"{path.name} unpacks to more than {MAX_UNPACKED >> 20} MB. Give fewer images.")
