"""The judges, each loaded when it is first needed, over images that are on no disk. No gradio."""

import threading
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from app.verdicts import probabilities
from app.words import JUDGES
from diffusion_core.data import load as load_data
from diffusion_core.errors import UserError


class Judges:
    """`explain` turns an error into the line that a browser may see."""

    def __init__(self, explain: Callable[[Exception], str]):
        self._explain, self._lock = explain, threading.Lock()
        self._scorers: dict[str, Callable] = {}

    def verdicts(self, images: Tensor, labels: Tensor) -> Iterator[tuple[dict[str, Tensor], list[str]]]:
        """Score uint8 images [N, C, H, W], one judge after another.

        Yields after each judge: every column so far, and why a judge had nothing to say.
        """
        columns, problems = {}, []
        for name in JUDGES:
            try:
                columns |= self._scorer(name)(images, labels)
            except UserError as error:
                problems.append(self._explain(error))
            yield columns, problems

    def read(self, images: Tensor) -> Tensor:
        """The classifier's probabilities float [N, classes] of uint8 images [N, C, H, W]."""
        columns = self._scorer("classifier")(images, torch.zeros(len(images), dtype=torch.long))
        return torch.from_numpy(probabilities({key: value.numpy() for key, value in columns.items()}, "classifier"))

    def examined(self, image: Tensor, labels: Tensor) -> tuple[dict, list[tuple[str, Tensor, float]]]:
        """All columns of one image [1, C, H, W] as arrays [1], and its nearest training and test digit.

        A judge that has nothing to say is left out, as when a run is judged.
        """
        *_, (columns, _) = self.verdicts(image, labels)
        for name in ("shape", "neighbours"):
            columns |= self._scorer(name)(image, labels)
        row = {key: value.numpy() for key, value in columns.items()}
        near = []
        for split in ("train", "test"):
            index, distance = int(row[f"{split}_index"][0]), float(row[f"{split}_distance"][0])
            found = load_data("mnist", split)
            near.append((f"{split} digit {index:,}, a {int(found.labels[index])}", found.images[index], distance))
        return row, near

    def scorers(self) -> tuple:
        """Everything that scores the images of a report, in its order."""
        from eval.scorers import SCORERS

        return tuple(map(self._scorer, SCORERS))

    def _scorer(self, name: str):
        from eval.scorers import load_scorers  # it imports what the judges need, which the listing does not

        with self._lock:
            if name not in self._scorers:
                self._scorers[name] = load_scorers((name,))[0]
            return self._scorers[name]
