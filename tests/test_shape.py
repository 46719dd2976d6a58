"""Shape of digits: strokes of known shape, the reference's formulas on real digits, and independence of neighbours."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage import morphology, transform
from torch import Tensor

from eval.shape import MEASURES, ShapeScorer, measure
from eval.sources import RealSource

FINE = 16  # places per pixel at which strokes are drawn


@pytest.fixture(scope="module")
def digits() -> Tensor:
    return RealSource("test").data.images[:50]


def drawn(mask) -> Tensor:
    """mask(x, y) in pixels of a 28 x 28 image -> uint8 [1, 28, 28], anti-aliased."""
    at = (np.arange(28 * FINE) + 0.5) / FINE
    fine = mask(at[None, :], at[:, None]).reshape(28, FINE, 28, FINE)
    return torch.from_numpy(np.rint(255 * fine.mean((1, 3))).astype(np.uint8))[None]


def stroke(thickness: float, length: float, degrees: float, shift: float = 0.0) -> Tensor:
    """A pen of that diameter moved along a straight line, which leans to the right by `degrees`."""
    up, right = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))

    def mask(x, y):
        x, y = x - 14 - shift, 14 - shift - y
        beyond = np.maximum(abs(x * right + y * up) - length / 2, 0)
        return np.hypot(beyond, x * up - y * right) < thickness / 2

    return drawn(mask)


def bar(width: float, height: float, degrees: float, shift: float = 0.0) -> Tensor:
    """An upright bar, sheared to the right by `degrees`."""
    shear = np.tan(np.radians(degrees))
    return drawn(lambda x, y: (abs(x - 14 - shift - shear * (14 - y)) < width / 2) & (abs(y - 14) < height / 2))


def measured(images: list[Tensor]) -> dict[str, np.ndarray]:
    return {name: values.double().numpy() for name, values in measure(torch.stack(images)).items()}


# ---------------------------------------------------------------- strokes of known shape


@pytest.mark.parametrize("degrees", [-30, -15, 0, 10, 22.5, 30])
@pytest.mark.parametrize("shift", [0, 0.25, 0.4])
def test_thickness_of_a_stroke(degrees: float, shift: float):
    known = np.array([3, 3.5, 4, 5, 6])
    found = measured([stroke(t, 14, degrees, shift) for t in known])["thickness"]
    assert np.abs(found - known).max() < 0.25
    assert (np.diff(found) > 0).all()


@pytest.mark.parametrize("degrees", [-15, 0, 10, 30])
def test_thin_strokes_are_read_too_thick(degrees: float):
    """Up to 0.5 px: where they fill no pixel they are lighter, not thinner, and the threshold is relative."""
    known = np.array([1.5, 1.75, 2, 2.25, 2.5])
    for shift in (0, 0.25, 0.4):
        excess = measured([stroke(t, 14, degrees, shift) for t in known])["thickness"] - known
        assert (excess > -0.26).all()
        assert (excess < 0.51).all()


@pytest.mark.parametrize("degrees", [-45, -22.5, 0, 30, 45])
@pytest.mark.parametrize("thickness", [2, 3, 4])
def test_length_of_a_stroke(thickness: float, degrees: float):
    """To 2.5 px at the ends, and up to 8 % too long where a line climbs by steps (at most at 22.5 degrees)."""
    known = np.arange(6, 19, 2.0)
    found = measured([stroke(thickness, length, degrees) for length in known])["length"]
    assert (found > known - 2.5).all()
    assert (found < 1.09 * known + 1.5).all()
    assert (np.diff(found) > 0.8).all()


def test_slant_of_a_bar():
    known = np.arange(-30, 31, 7.5)
    for width in (2, 5):
        for shift in (0, 0.3):
            found = np.degrees(measured([bar(width, 18, d, shift) for d in known])["slant"])
            assert np.abs(found - known).max() < 0.3
            assert (np.diff(found) > 7).all()


def test_a_slant_to_the_right_is_positive():
    image = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    for row in range(4, 24):
        image[0, 0, row, 24 - row] = 255  # its top is on the right
    assert float(measure(image)["slant"]) == pytest.approx(np.pi / 4, abs=0.01)


@pytest.mark.parametrize("degrees", [-30, 0, 30])
def test_height_and_width_are_98_percent_of_a_bar_and_a_blurred_edge(degrees: float):
    """The definition's own bias: the edge adds 0.3 to 0.8 px of height, and 0.7 to 1.8 px of width."""
    heights = np.array([10, 12, 15, 18, 20])
    found = measured([bar(3, h, degrees) for h in heights])["height"] - 0.98 * heights
    assert (found > 0.2).all()
    assert (found < 0.85).all()
    widths = np.array([2, 3, 5, 8, 11])
    found = measured([bar(w, 18, degrees) for w in widths])["width"]
    assert (found - 0.98 * widths > 0.6).all()
    assert (found - 0.98 * widths < 1.85).all()
    assert np.abs(np.diff(found) / np.diff(widths) - 0.98).max() < 0.55  # closer for wider steps


def test_width_does_not_grow_with_the_slant():
    found = measured([bar(5, 18, d) for d in (0, 15, 30)])["width"]
    assert np.ptp(found) < 0.3


def test_ink_is_the_area_of_a_bar():
    assert measured([bar(3, 18, 0), bar(4.5, 12, 20)])["ink"] == pytest.approx([54, 54], abs=0.3)


# ---------------------------------------------------------------- the reference's formulas


def reference(image: np.ndarray, skeleton) -> dict[str, float]:
    """Morpho-MNIST's definitions, one by one; `skeleton`: bool [H, W] -> bool [H, W]."""
    image = (255 * transform.pyramid_expand(image, upscale=4, order=3)).astype(np.uint8)
    low, high = float(image.min()), float(image.max())
    ink = image >= low + (high - low) * 0.5
    bones = skeleton(ink)
    pairs = np.array([[0, 0, 0], [0, 0, 1], [2**0.5, 1, 2**0.5]])
    grey = image / image.sum()
    y, x = np.mgrid[: len(image), : len(image)]
    mean_x, mean_y = (grey * x).sum(), (grey * y).sum()
    shear = (grey * (x - mean_x) * (y - mean_y)).sum() / (grey * (y - mean_y) ** 2).sum()
    places = np.arange(len(image))
    left = [grey[x + 0.5 < t + shear * (y - mean_y)].sum() for t in places]
    above = [grey[y < t].sum() for t in places]
    return {
        "thickness": 2 * ndimage.distance_transform_edt(ink)[bones].mean() / 4,
        "slant": np.arctan(-shear),
        "width": np.diff(np.interp([0.01, 0.99], left, places))[0] / 4,
        "height": np.diff(np.interp([0.01, 0.99], above, places))[0] / 4,
        "length": (ndimage.correlate(bones.astype(float), pairs, mode="constant") * bones).sum() / 4,
    }


def test_real_digits_measure_as_by_the_reference(digits: Tensor):
    found = {name: values.double().numpy() for name, values in measure(digits).items()}
    thinned = [reference(image[0].numpy(), morphology.skeletonize) for image in digits]
    for name in ("thickness", "slant", "width", "height", "length"):
        assert found[name] == pytest.approx([row[name] for row in thinned], abs=1e-4), name


def test_the_medial_axis_would_say_nearly_the_same(digits: Tensor):
    """The reference's own skeleton depends on a random order; it is rougher, hence longer."""
    found = measure(digits)
    axis = [reference(i[0].numpy(), lambda ink: morphology.medial_axis(ink, rng=0)) for i in digits]
    thickness, length = (np.array([row[name] for row in axis]) for name in ("thickness", "length"))
    assert np.abs(found["thickness"].numpy() - thickness).max() < 0.3
    assert np.corrcoef(found["thickness"], thickness)[0, 1] > 0.98
    assert 0.9 < (found["length"].numpy() / length).mean() < 1
    assert np.corrcoef(found["length"], length)[0, 1] > 0.95


# ---------------------------------------------------------------- symmetries, sizes, neighbours


def close(a: dict[str, Tensor], b: dict[str, Tensor]) -> None:
    """Equal but for what the image's border, which a spline feels some pixels away, does to single places."""
    most = {"thickness": 0.02, "slant": 0.002, "width": 0.04, "height": 0.06, "length": 1.0, "ink": 1e-4}
    for name in MEASURES:
        assert (a[name] - b[name]).abs().max() < most[name], name


def test_a_moved_digit_measures_the_same(digits: Tensor):
    wide = torch.nn.functional.pad(digits, (4, 4, 4, 4))
    close(measure(torch.roll(wide, (3, -2), (2, 3))), measure(wide))


def test_a_mirror_turns_the_slant_round_and_keeps_the_rest(digits: Tensor):
    straight, mirrored = measure(digits), measure(digits.flip(3))
    assert torch.allclose(mirrored["slant"], -straight["slant"], atol=1e-5)
    for name, most in {"thickness": 0.2, "width": 1e-4, "height": 1e-4, "length": 4.0, "ink": 1e-4}.items():
        assert (mirrored[name] - straight[name]).abs().max() < most, name


def test_an_image_measures_the_same_alone_and_among_others(digits: Tensor):
    together = measure(digits)
    alone = [measure(image[None]) for image in digits]
    backwards = measure(digits.flip(0))
    for name in MEASURES:
        assert torch.equal(together[name], torch.cat([row[name] for row in alone])), name
        assert torch.equal(together[name], backwards[name].flip(0)), name


@pytest.mark.parametrize("size", [32, 64])
def test_paper_around_a_digit_changes_nothing(digits: Tensor, size: int):
    before, after = (size - 28) // 2, size - 28 - (size - 28) // 2
    close(measure(torch.nn.functional.pad(digits, (before, after, before, after))), measure(digits))


def test_channels_are_averaged(digits: Tensor):
    for name, values in measure(digits.expand(-1, 3, -1, -1)).items():
        assert torch.allclose(values, measure(digits)[name]), name


@pytest.mark.parametrize("grey", [0, 255])
def test_an_image_of_one_grey_has_no_strokes(grey: int):
    found = measure(torch.full((2, 1, 28, 28), grey, dtype=torch.uint8))
    assert {name: values.tolist() for name, values in found.items()} == {
        name: [784.0 * grey / 255 if name == "ink" else 0.0] * 2 for name in MEASURES
    }


def test_any_image_has_finite_measures():
    """Noise, one dark pixel, one light pixel, ink up to the border."""
    noise = torch.randint(0, 256, (20, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    dot = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    dot[..., 0, 0] = 1
    half = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    half[..., :14] = 255
    for values in measure(torch.cat([noise, dot, 255 - dot, half])).values():
        assert values.isfinite().all()


def test_the_scorer_gives_its_columns(digits: Tensor):
    scorer = ShapeScorer()
    scores = scorer(digits, torch.full((50,), -1))
    assert tuple(scores) == scorer.columns == MEASURES
    assert all(v.shape == (50,) and v.dtype == torch.float32 for v in scores.values())
    assert all(v.shape == (0,) for v in scorer(digits[:0], torch.zeros(0, dtype=torch.int64)).values())
