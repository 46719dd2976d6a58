"""How the judges' training images are varied: whole pixels for pictures, bilinear for drawings."""

from dataclasses import replace

import torch
from torch.nn import functional as F

from diffusion_core.data import spec
from eval.augment import SHIFT, jitter, said, shifted, varied


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_pictures_are_moved_by_whole_pixels_and_reflected_at_the_border():
    x = torch.rand(64, 3, 32, 32, generator=seeded())
    padded = F.pad(x, (SHIFT,) * 4, mode="reflect")
    crops = {(r, c): padded[:, :, r : r + 32, c : c + 32] for r in range(2 * SHIFT + 1) for c in range(2 * SHIFT + 1)}
    found = [
        [place for place, crop in crops.items() if torch.equal(crop[i], image)]
        for i, image in enumerate(shifted(x, seeded(1)))
    ]
    assert all(len(places) == 1 for places in found)
    rows, columns = zip(*(places[0] for places in found), strict=True)
    assert set(rows) == set(columns) == set(range(2 * SHIFT + 1))  # every shift occurs among 64, and none beyond
    assert rows != columns


def test_a_picture_is_never_blurred_and_half_of_them_are_mirrored():
    colour = spec("cifar10")
    x = torch.randint(256, (400, 3, 32, 32), generator=seeded()).float() / 255
    out = varied(x, colour, seeded(1))
    moved = shifted(x, seeded(1))
    plain, turned = ((out == either).flatten(1).all(1) for either in (moved, moved.flip(3)))
    assert (plain ^ turned).all()
    assert 0.4 < turned.float().mean() < 0.6
    assert torch.equal(varied(x, replace(colour, flip=False), seeded(1)), moved)


def test_drawings_are_jittered_as_ever():
    x = torch.rand(8, 1, 28, 28, generator=seeded())
    assert torch.equal(varied(x, spec("mnist"), seeded(1)), jitter(x, seeded(1)))
    zoom = torch.full((8,), 0.7)
    assert torch.equal(varied(x, spec("fashion"), seeded(1), zoom), jitter(x, seeded(1), zoom=zoom))
    still = jitter(x, seeded(1), shift=0, turn=0, scale=0, shear=0)
    assert torch.allclose(still, x, atol=1e-5)


def test_cards_say_what_is_done():
    assert said(spec("cifar10")) == "shift 4 px, reflected at the border; half of them mirrored"
    assert said(spec("fashion")) == "shift 2 px, turn 10 degrees, scale 10 %, shear 0.1, each at most"
