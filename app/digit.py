"""One image that was clicked: drawn again for its card, and ten more like it. No gradio."""

from html import escape

import torch

from app import markup, sprites
from app.card import card
from app.request import MAX_SEED, Request, request, whole
from app.sampling import lead_of
from app.store import Store
from app.takeaway import sample_command
from app.verdicts import verdicts
from diffusion_core.checkpoint import Checkpoint
from diffusion_core.config import SampleConfig
from diffusion_core.errors import UserError
from diffusion_core.generate import generate, varied

ALIKE = 10  # variations of an image
# Noise level they start at. Of 200 digits of `mnist` all kept their label, slant correlated .95 with the original's
# and thickness .84; from level 3 it is .79 and .58, from .7 .99 and .97.
NOISED_TO = 1.5


def made_with(key: str, config: SampleConfig, clip: float) -> dict:
    """What a click on an image sends back, so that its card needs nothing that the server would have to keep."""
    how = {"sampler": config.sampler, "steps": config.steps, "guidance": config.guidance, "clip": clip}
    return {"key": key, **how}


def opened_card(store: Store, named) -> str:
    """The card of one image, drawn again from its label, seed and settings. `UserError` for odd ones."""
    checkpoint, (labels, seeds, config, clip) = _asked(store, named)
    label, seed = int(labels[0]), int(seeds[0])
    image = generate(checkpoint, labels, seeds, config, lead=lead_of(clip, checkpoint.meta.dataset))
    row, near = store.judges.examined(image, labels, checkpoint.meta.dataset)
    which = f"--labels {label} --per-class 1"
    command = sample_command(named["made"]["key"], which, config, clip, seed - label, f"{checkpoint.spec.noun}.npz")
    real = store.real_rows(label, checkpoint.meta.dataset)
    return card(image[0], label, seed, checkpoint.spec, row, real, near, command, named)


def more_like(store: Store, named) -> str:
    """Ten variations of one image: noised to `NOISED_TO`, and denoised with other noise. `UserError` as above."""
    checkpoint, (labels, seeds, config, clip) = _asked(store, named)
    label, seed = int(labels[0]), int(seeds[0])
    image = generate(checkpoint, labels, seeds, config, lead=lead_of(clip, checkpoint.meta.dataset))
    labels, others = labels.repeat(ALIKE), seed + 1 + torch.arange(ALIKE)
    images = varied(checkpoint, image.repeat(ALIKE, 1, 1, 1), labels, others, config, NOISED_TO)
    *_, (columns, _) = store.judges.verdicts(images, labels, checkpoint.meta.dataset)
    names, called = checkpoint.spec.class_names, checkpoint.spec.called(label)
    said = verdicts({key: value.numpy() for key, value in columns.items()}, labels.numpy(), names)
    uris, name = sprites.thumbnails(images), names[label]
    items = [markup.sample(uris[i], called, int(others[i]), said[i], "noise") for i in range(ALIKE)]
    told = f"Noised to level {NOISED_TO:g}, where its pose and weight mostly survive, and denoised with other noise."
    return (
        f'<section class="alike"><h2>{ALIKE} more like {escape(name)}, seed {seed}</h2>{markup.note(told)}'
        f"{markup.samples(items, 'Variations of this image')}</section>"
    )


def _asked(store: Store, named) -> tuple[Checkpoint, Request]:
    """What a click names, checked."""
    if not isinstance(named, dict) or not isinstance(named.get("made"), dict):
        raise UserError("Click one of the images to open its card.")
    made = named["made"]
    checkpoint = store.checkpoint(made.get("key"))
    label = whole(named.get("label"), "A class", 0, checkpoint.meta.network.classes - 1)
    seed = whole(named.get("seed"), "The seed", label, MAX_SEED)
    settings = (made.get("sampler"), made.get("steps"), made.get("guidance"))
    return checkpoint, request([label], 1, seed - label, *settings, checkpoint.meta, clip=made.get("clip"))
