"""The page's functions for programs: `gradio_client`, curl or an agent. Names and docs are part of the page.

Plain values in, plain values out; images are PNG files as base64, with or without "data:image/png;base64," before it.
"""

import base64
import binascii
import io
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError

from app import request, sprites
from app.judging import readers
from app.store import Store
from app.verdicts import verdicts
from diffusion_core.config import to_dict
from diffusion_core.data import DataSpec, spec
from diffusion_core.errors import UserError
from diffusion_core.generate import generate as draw
from eval.compare import compare as compare_reports
from eval.metrics import wilson

MOST = 200  # images that one request may have judged
HEAVY = ("generate", "score")  # they wait in the queue of everything that computes


def endpoints(store: Store) -> dict[str, Callable]:
    """Each function by the name that programs call it by."""

    def generate(
        checkpoint: str,
        labels: list[int],
        count: int = 1,
        seed: int = 0,
        steps: int | None = None,
        guidance: float | None = None,
    ) -> dict:
        """Draw `count` images of each class, by number, from a checkpoint; steps and guidance as recommended or given.

        Returns labels, seeds, the images as PNG data URIs and the sample config. The same request, the same images.
        """
        model = store.checkpoint(checkpoint)
        own = model.meta.sample
        wanted = (own.steps if steps is None else steps, own.guidance if guidance is None else guidance)
        asked, seeds, config, _ = request.request(labels, count, seed, own.sampler, *wanted, model.meta)
        images = draw(model, asked, seeds, config)
        return {
            "labels": asked.tolist(),
            "seeds": seeds.tolist(),
            "images": sprites.thumbnails(images),
            "sample": to_dict(config),
        }

    def score(images: list[str], labels: list[int], dataset: str = "mnist") -> dict:
        """Judge PNG images of a data set: what each judge reads, how sure it is, and the accuracy with its interval."""
        data = spec(dataset)
        pixels, asked = decoded(images, data), checked_labels(labels, images, len(data.class_names))
        columns: dict[str, torch.Tensor] = {}
        for found, problems in store.judges.verdicts(pixels, asked, dataset):
            columns = found
            if problems:
                raise UserError(problems[0])
        said = verdicts({key: value.numpy() for key, value in columns.items()}, asked.numpy())
        accuracy = {}
        for judge in readers(dataset):
            right = sum(v.right for row in said for v in row if v.judge == judge)
            accuracy[judge] = wilson(right, len(said)).to_dict()
        return {"accuracy": accuracy, "images": [[v._asdict() for v in row] for row in said]}

    def report(name: str) -> dict:
        """The metrics of a report ("mnist" or "mnist/ID"), over all images and by class, and those of real images."""
        found = store.report(_report_key(store, name))
        return {
            "name": name,
            "metrics": found.summary.to_dict()["metrics"],
            "real": found.reference.to_dict()["metrics"],
            "findings": [entry["text"] for entry in found.details.get("findings", [])],
        }

    def compare(a: str, b: str) -> dict:
        """Is B better than A? The verdict in words, and every metric with the difference, its interval and p-value."""
        return compare_reports(*(store.report(_report_key(store, name)) for name in (a, b))).to_dict()

    return {function.__name__: function for function in (generate, score, report, compare)}


def decoded(images, data: DataSpec) -> torch.Tensor:
    """Base64 PNGs -> uint8 [N, C, H, W] of the data set's form; `UserError` for what is none."""
    channels, height, width = data.shape
    if not isinstance(images, list) or not 0 < len(images) <= MOST:
        raise UserError(f"Give 1 to {MOST} images.")
    found = []
    for i, text in enumerate(images):
        try:
            data = base64.b64decode(str(text).split("base64,")[-1], validate=True)
            with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
                fits = picture.size == (width, height)
                pixels = np.asarray(picture.convert("L" if channels == 1 else "RGB")) if fits else None
        except (binascii.Error, UnidentifiedImageError, ValueError, OSError):
            raise UserError(f"Image {i} is no PNG file in base64.") from None
        if pixels is None:
            raise UserError(f"Image {i} is not {height} by {width} pixels.")
        found.append(pixels)
    return torch.from_numpy(np.stack(found)).view(-1, height, width, channels).permute(0, 3, 1, 2)


def checked_labels(labels, images: list, classes: int) -> torch.Tensor:
    """int64 [N]; `UserError` unless there is the number of a class for each image."""
    if not isinstance(labels, list) or len(labels) != len(images):
        raise UserError("Give as many labels as images.")
    return torch.tensor([request.whole(label, "A label", 0, classes - 1) for label in labels])


def _report_key(store: Store, name) -> str:
    key = store.report_key(name) if isinstance(name, str) else None
    if key is None:
        raise UserError(f"There is no report '{str(name)[:40]}'.")
    return key
