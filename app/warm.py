"""What the first visitor would wait for otherwise, done in the background as soon as the server runs."""

import threading
from contextlib import suppress

from app.entries import usable
from app.store import Store
from app.tabs import denoise
from diffusion_core.errors import UserError
from diffusion_core.generate import generate
from diffusion_core.noise import plan


def warm(store: Store) -> threading.Thread:
    """Load the first checkpoint that is whole and the judges: draw and judge what the page shows first."""
    thread = threading.Thread(target=_draw, args=(store,), daemon=True)
    thread.start()
    return thread


def _draw(store: Store) -> None:
    for entry in usable(store.checkpoints())[:1]:
        with suppress(UserError):  # whoever asks for it is told
            checkpoint = store.checkpoint(entry.key)
            labels, seeds = plan(1, 0, checkpoint.meta.network.classes)
            images = generate(checkpoint, labels, seeds, checkpoint.meta.sample)
            for _ in store.judges.verdicts(images, labels, checkpoint.meta.dataset):
                pass
            denoise.page(store, entry.key, *map(str, denoise.PAIR), 0)
