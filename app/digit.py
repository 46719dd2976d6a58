"""One digit that was clicked: drawn again for its card, and ten more like it. No gradio."""

import torch

from app import markup, sprites
from app.card import card
from app.request import CLASSES, MAX_SEED, Request, request, whole
from app.sampling import lead_of
from app.store import Store
from app.takeaway import sample_command
from app.verdicts import verdicts
from diffusion_core.checkpoint import Checkpoint
from diffusion_core.config import SampleConfig
from diffusion_core.errors import UserError
from diffusion_core.generate import generate, varied

ALIKE = 10  # variations of a digit
# Noise level they start at. Of 200 digits of `mnist` all kept their label, slant correlated .95 with the original's
# and thickness .84; from level 3 it is .79 and .58, from .7 .99 and .97.
NOISED_TO = 1.5


def made_with(key: str, config: SampleConfig, clip: float) -> dict:
    """What a click on a digit sends back, so that its card needs nothing that the server would have to keep."""
    how = {"sampler": config.sampler, "steps": config.steps, "guidance": config.guidance, "clip": clip}
    return {"key": key, **how}


def opened_card(store: Store, named) -> str:
    """The card of one digit, drawn again from its label, seed and settings. `UserError` for odd ones."""
    checkpoint, (labels, seeds, config, clip) = _asked(store, named)
    label, seed = int(labels[0]), int(seeds[0])
    image = generate(checkpoint, labels, seeds, config, lead=lead_of(clip))
    row, near = store.judges.examined(image, labels)
    which = f"--labels {label} --per-class 1"
    command = sample_command(named["made"]["key"], which, config, clip, seed - label, "digit.npz")
    return card(image[0], label, seed, row, store.real_rows(label), near, command, named)


def more_like(store: Store, named) -> str:
    """Ten variations of one digit: noised to `NOISED_TO`, and denoised with other noise. `UserError` as above."""
    checkpoint, (labels, seeds, config, clip) = _asked(store, named)
    label, seed = int(labels[0]), int(seeds[0])
    image = generate(checkpoint, labels, seeds, config, lead=lead_of(clip))
    labels, others = labels.repeat(ALIKE), seed + 1 + torch.arange(ALIKE)
    images = varied(checkpoint, image.repeat(ALIKE, 1, 1, 1), labels, others, config, NOISED_TO)
    *_, (columns, _) = store.judges.verdicts(images, labels)
    said = verdicts({key: value.numpy() for key, value in columns.items()}, labels.numpy())
    uris = sprites.thumbnails(images)
    items = [markup.sample(uris[i], label, int(others[i]), said[i], "noise") for i in range(ALIKE)]
    told = f"Noised to level {NOISED_TO:g}, where slant and thickness mostly survive, and denoised with other noise."
    return (
        f'<section class="alike"><h2>{ALIKE} more like {label}, seed {seed}</h2>{markup.note(told)}'
        f"{markup.samples(items, 'Variations of this digit')}</section>"
    )


def _asked(store: Store, named) -> tuple[Checkpoint, Request]:
    """What a click names, checked."""
    if not isinstance(named, dict) or not isinstance(named.get("made"), dict):
        raise UserError("Click one of the digits to open its card.")
    made, label = named["made"], whole(named.get("label"), "A digit", 0, CLASSES - 1)
    seed = whole(named.get("seed"), "The seed", label, MAX_SEED)
    checkpoint = store.checkpoint(made.get("key"))
    settings = (made.get("sampler"), made.get("steps"), made.get("guidance"))
    return checkpoint, request([label], 1, seed - label, *settings, checkpoint.meta.sample, clip=made.get("clip"))
