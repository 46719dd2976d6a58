"""What the images of a data set look like, by its name: the one place where `eval` asks for it."""

from diffusion_core import data
from eval.source_base import Form


def form(dataset: str) -> Form:
    """The entry of a data set; `UserError` with the known names where there is none."""
    return data.spec(dataset)


def at_hand(dataset: str) -> bool:
    """Whether its images are on this machine: a checkpoint is drawn and judged without them, real images are not."""
    return data.present(dataset)
