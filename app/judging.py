"""The judges, each loaded when it is first needed, over images that are on no disk. No gradio."""

import threading
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from app.verdicts import probabilities
from app.words import JUDGES
from diffusion_core.data import load as load_data
from diffusion_core.errors import UserError
from eval.forms import at_hand

OF_IMAGES = ("knn", "neighbours")  # what compares with the training images


class Judges:
    """`explain` turns an error into the line that a browser may see."""

    def __init__(self, explain: Callable[[Exception], str]):
        self._explain, self._lock = explain, threading.Lock()
        self._scorers: dict[tuple[str, str], Callable] = {}

    def verdicts(self, images: Tensor, labels: Tensor, dataset: str) -> Iterator[tuple[dict[str, Tensor], list[str]]]:
        """Score uint8 images [N, C, H, W] of a data set, one judge after another.

        Yields after each judge: every column so far, and why a judge had nothing to say.
        """
        columns, problems = {}, []
        for name in readers(dataset):
            try:
                columns |= self._scorer(name, dataset)(images, labels)
            except UserError as error:
                problems.append(self._explain(error))
            yield columns, problems

    def read(self, images: Tensor, dataset: str) -> Tensor:
        """The classifier's probabilities float [N, classes] of uint8 images [N, C, H, W]."""
        columns = self._scorer("classifier", dataset)(images, torch.zeros(len(images), dtype=torch.long))
        return torch.from_numpy(probabilities({key: value.numpy() for key, value in columns.items()}, "classifier"))

    def lacking(self, dataset: str) -> str:
        """Why nothing can be read in images of a data set, in a line; "" where its classifier is there."""
        try:
            self._scorer("classifier", dataset)
        except UserError as error:
            return self._explain(error)
        return ""

    def examined(self, image: Tensor, labels: Tensor, dataset: str) -> tuple[dict, list[tuple[str, Tensor, float]]]:
        """All columns of one image [1, C, H, W] as arrays [1], and its nearest training and test image.

        A judge that has nothing to say is left out, as when a run is judged; without its images here, so are those.
        """
        from eval.scorers import fitting

        *_, (columns, _) = self.verdicts(image, labels, dataset)
        others = [name for name in here(fitting(dataset), dataset) if name not in JUDGES]
        for name in others:
            columns |= self._scorer(name, dataset)(image, labels)
        row = {key: value.numpy() for key, value in columns.items()}
        near = []
        for split in ("train", "test") if "neighbours" in others else ():
            index, distance = int(row[f"{split}_index"][0]), float(row[f"{split}_distance"][0])
            found = load_data(dataset, split)
            title = f"{split} image {index:,}: {found.spec.called(int(found.labels[index]))}"
            near.append((title, found.images[index], distance))
        return row, near

    def scorers(self, dataset: str) -> tuple:
        """Everything that scores the images of a report, in its order."""
        from eval.scorers import fitting

        return tuple(self._scorer(name, dataset) for name in fitting(dataset))

    def _scorer(self, name: str, dataset: str):
        from eval.scorers import load_scorers  # it imports what the judges need, which the listing does not

        with self._lock:
            if (name, dataset) not in self._scorers:
                self._scorers[name, dataset] = load_scorers((name,), dataset=dataset)[0]
            return self._scorers[name, dataset]


def readers(dataset: str) -> tuple[str, ...]:
    """The judges that can read images of a data set here: what learned nothing needs the images themselves."""
    return here(JUDGES, dataset)


def here(names: Iterable[str], dataset: str) -> tuple[str, ...]:
    """Those of the scorers that have here what they need."""
    return tuple(name for name in names if at_hand(dataset) or name not in OF_IMAGES)
