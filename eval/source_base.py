"""What every source of images has: an `info`, a `plan` of labels and seeds, and `images` that delivers them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

Progress = Callable[[int, int], None]  # (images done, images in all)


@dataclass(frozen=True)
class SourceInfo:
    """What a report says about where its images came from."""

    id: str  # changes when the images do
    kind: str  # "checkpoint", "real", "npz", "folder", "parquet", "idx", "diffusers" or "callable"
    name: str
    dataset: str
    class_names: tuple[str, ...]
    settings: str = ""  # how the images were sampled in short, for names of reports
    sample: dict | None = None  # sample config of a checkpoint
    sha256: str | None = None  # of the weights, of the images, or of the file that draws them
    images_seen: int | None = None  # in training
    rewards: tuple[str, ...] = ()  # scorers it was tuned against: their scores are no evidence
    labelled: bool = True  # False: nobody said which classes these should be; all labels are -1
    given: str = ""  # what the command line was given, without its folders; "" where that is the name
    seeded: bool = True  # False: nobody said which seeds these have; they are numbered in an order of our own
    origin: str = ""  # of the real images it is held against, where they are not the published ones
    config: dict | None = None  # of a checkpoint, plain JSON: "network", "train" and "parent"


class ImageSource(Protocol):
    """What scoring needs. Labels and seeds are int64 [N], images uint8 [N, C, H, W]."""

    info: SourceInfo
    id: str
    kind: str
    name: str
    class_names: tuple[str, ...]

    def plan(self, per_class: int | None, seed: int = 0) -> tuple[Tensor, Tensor]:
        """Labels and seeds of `per_class` images of each class; None = all there are.

        Of an unlabelled source: `per_class` times the number of classes, all with label -1.
        """

    def images(self, labels: Tensor, seeds: Tensor, progress: Progress | None = None) -> Tensor:
        """The images so named, in that order."""


class Form(Protocol):
    """What images of a data set look like: an entry of `diffusion_core.data.DATASETS`, which says what each means."""

    name: str
    class_names: tuple[str, ...]
    shape: tuple[int, int, int]  # channels, height, width
    mean: float
    std: float
    noun: str
    strokes: bool
    flip: bool
    fills: bool


class Source:
    """What all sources share: an `info`, and shorthands for its parts."""

    def __init__(self, info: SourceInfo):
        self.info = info

    @property
    def id(self) -> str:
        return self.info.id

    @property
    def kind(self) -> str:
        return self.info.kind

    @property
    def name(self) -> str:
        return self.info.name

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.info.class_names


def shown(text: object, limit: int = 400) -> str:
    """Somebody else's text (a file's name, an error's message) made fit for one line of a message."""
    line = "".join(c if c.isprintable() else "?" for c in str(text))
    return line if len(line) <= limit else f"{line[: limit - 3]}..."
