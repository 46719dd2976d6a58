"""Data sets: a registry entry each, verified on load, held as one uint8 tensor.

A data set is a folder of four IDX files (`idx.py`), two a split. Of a data set of one's own the entry itself lies in
the folder too, in `dataset.json`; `python -m app dataset` makes both of any folder of images.
"""

import json
import os
import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from diffusion_core.config import from_dict
from diffusion_core.errors import UserError
from diffusion_core.idx import read_idx

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "data"
ENTRY = "dataset.json"  # of a data set of one's own
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
NOUN = re.compile(r"[a-z]{1,20}")
MOST_CLASSES = 256  # a label is a byte
SPLITS = {"train": "train", "test": "t10k"}


@dataclass(frozen=True)
class DataSpec:
    """One registry entry.

    `mean` and `std` are those of the training pixels in [0, 1], all channels together; the model sees pixels that are
    centred and scaled with them (see `pixels.py`). `md5` holds the checksum of each uncompressed file; None means that
    the files are the user's own and only their form is checked.
    """

    name: str
    class_names: tuple[str, ...]
    shape: tuple[int, int, int]  # channels, height, width
    mean: float
    std: float
    noun: str = "image"  # what one image shows, as in "10 digits"; its plural has an s
    strokes: bool = False  # drawn with a pen on paper: thickness, slant and the like mean something
    flip: bool = False  # an image's mirror image may be another one: training and judges see both
    origin: str = ""  # where the files come from, if they are not the published ones
    md5: dict[str, str] | None = field(default=None, hash=False)

    @property
    def nouns(self) -> str:
        return f"{self.noun}s"

    def called(self, label: int) -> str:
        """What an image of this class is called: "digit 5", "ankle boot"."""
        name = self.class_names[label]
        return f"{self.noun} {name}" if name.isdigit() else name

    @property
    def fills(self) -> bool:
        """Whether pictures fill their frame, as colour ones do; grey ones show a thing on an empty (black) ground."""
        return self.shape[0] > 1

    @property
    def env(self) -> str:
        """The environment variable that points to another folder with the same layout."""
        return f"{self.name.upper().replace('-', '_')}_DIR"


class Dataset(NamedTuple):
    """One split in memory: images uint8 [N, C, H, W], labels int64 [N]."""

    images: Tensor
    labels: Tensor
    spec: DataSpec


DATASETS = {
    "mnist": DataSpec(
        name="mnist",
        class_names=tuple("0123456789"),
        shape=(1, 28, 28),
        mean=0.1307,
        std=0.3081,
        noun="digit",
        strokes=True,
        md5={
            "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
            "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
            "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
            "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
        },
    ),
    "fashion": DataSpec(
        name="fashion",
        class_names=(
            "t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
        ),
        shape=(1, 28, 28),
        mean=0.2860,
        std=0.3530,
        noun="garment",
        md5={
            "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
            "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
            "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
            "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
        },
    ),
    "cifar10": DataSpec(
        name="cifar10",
        class_names=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        shape=(3, 32, 32),
        mean=0.4734,
        std=0.2516,
        noun="picture",
        flip=True,
    ),
}  # fmt: skip
_ADOPTED: dict[str, DataSpec] = {}  # of checkpoints that came without their data


def spec(name: str) -> DataSpec:
    """The entry called `name`: of the registry, of a folder in data/, or adopted; `UserError` with the known names."""
    if name in DATASETS:
        return DATASETS[name]
    path = DATA / name / ENTRY
    if NAME.fullmatch(name) and path.is_file():
        return _kept(path, path.stat().st_mtime_ns)
    if name in _ADOPTED:
        return _ADOPTED[name]
    known = sorted({*DATASETS, *own(), *_ADOPTED})
    raise UserError(f"There is no data set '{name[:80]}'. Known: {', '.join(known)}.")


def own() -> list[str]:
    """Names of the data sets of one's own in data/, sorted."""
    return sorted(path.parent.name for path in DATA.glob(f"*/{ENTRY}") if path.parent.name not in DATASETS)


def adopt(entry: DataSpec) -> None:
    """Know the data set of a checkpoint by its name, its data or none. `UserError` if that name means another one."""
    try:
        known = spec(entry.name)
    except UserError:
        _ADOPTED[entry.name] = checked(entry)
        return
    if (known.class_names, known.shape) != (entry.class_names, entry.shape):
        raise UserError(f"The checkpoint's data set '{entry.name}' is not the one that has that name here. Rename one.")


def checked(entry: DataSpec) -> DataSpec:
    """An entry of somebody's own, itself; `UserError` for a value that no data set has.

    It comes with checkpoints of strangers: its name becomes part of a path, its noun of file names and of the page.
    """
    if not NAME.fullmatch(entry.name):
        raise UserError("A data set's name is made of small letters, digits, - and _, 40 at most.")
    if not NOUN.fullmatch(entry.noun):
        raise UserError("What an image shows is said in small letters, such as flower.")
    names = entry.class_names
    if not 2 <= len(names) <= MOST_CLASSES or len(set(names)) < len(names):
        raise UserError(f"A data set has 2 to {MOST_CLASSES} classes, each with a name of its own.")
    if any(not 0 < len(name) <= 60 or not name.isprintable() for name in names):
        raise UserError("The name of a class is 1 to 60 characters that can be printed.")
    if entry.shape[0] not in (1, 3) or not all(8 <= side <= 256 for side in entry.shape[1:]):
        raise UserError(f"Images have 1 or 3 channels and 8 to 256 pixels a side, not {entry.shape}.")
    if not 0 <= entry.mean <= 1 or not 0 < entry.std <= 1:
        raise UserError(f"Mean and deviation of pixels in 0..1 cannot be {entry.mean:g} and {entry.std:g}.")
    return entry


@lru_cache(maxsize=64)
def _kept(path: Path, changed: int) -> DataSpec:
    """An entry, read again only when its file has changed: it is asked for with every image that is drawn."""
    return read_entry(path)


def read_entry(path: Path) -> DataSpec:
    """An entry as JSON -> `DataSpec`; `UserError` that names the key at fault."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}).") from None
    return checked(from_dict(DataSpec, found, path.name))


def load(name: str = "mnist", split: str = "train", folder: str | Path | None = None) -> Dataset:
    """Load a split: from `folder`, else from the folder the spec's variable names, else `data/NAME`.

    Files in data/ must match their checksums. A folder of the user's own only has to hold well-formed files of the same
    shape. `UserError` names the file that is missing or damaged; for a known data set that is not there, how to get it.
    """
    entry = spec(name)
    if split not in SPLITS:
        raise UserError(f"There is no split '{split}'. Known: {', '.join(SPLITS)}.")
    other = folder or os.environ.get(entry.env)
    where = Path(other) if other else DATA / name
    if not other and not where.is_dir():
        raise UserError(absent(entry))
    return _load(entry, split, where.resolve(), not other)


def present(name: str) -> bool:
    """Whether there is a folder to load `name` from."""
    entry = spec(name)
    return bool(os.environ.get(entry.env)) or (DATA / name).is_dir()


def absent(entry: DataSpec) -> str:
    """What to do where a data set is not on this machine: both ways."""
    return (
        f"The images of '{entry.name}' are not on this machine. Download them: python -m app dataset {entry.name}. Or "
        f"take a folder or zip files you have: python -m app dataset {entry.name} --take FOLDER."
    )


def _load(entry: DataSpec, split: str, where: Path, verify: bool) -> Dataset:
    found = where / ENTRY
    if found.is_file():  # how the files came here, and their checksums
        entry = read_entry(found)
    return _read(entry, split, where, verify)


@lru_cache(maxsize=4)
def _read(entry: DataSpec, split: str, where: Path, verify: bool) -> Dataset:
    prefix = SPLITS[split]
    md5 = entry.md5 if verify else None
    channels, height, width = entry.shape
    stem = f"{prefix}-images-idx{3 if channels == 1 else 4}-ubyte"
    images = read_idx(where, stem, md5)
    labels = read_idx(where, f"{prefix}-labels-idx1-ubyte", md5).long()
    size = (height, width) if channels == 1 else (height, width, channels)
    if images.shape[1:] != size:
        found = tuple(images.shape[1:])
        raise UserError(f"{where}/{stem} holds images of {found} pixels; '{entry.name}' needs {size}.")
    if len(images) != len(labels) or len(images) == 0:
        raise UserError(f"{where}: {len(images)} {split} images but {len(labels)} labels.")
    if int(labels.max()) >= len(entry.class_names):
        raise UserError(f"{where}: label {int(labels.max())} is outside 0..{len(entry.class_names) - 1}.")
    # A grey image by a view: the strides of a permuted one would make convolutions take it for channels-last.
    pixels = images[:, None] if channels == 1 else images.permute(0, 3, 1, 2).contiguous()
    return Dataset(pixels, labels, entry)
