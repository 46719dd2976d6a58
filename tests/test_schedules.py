import pytest
import torch

from diffusion_core.config import SampleConfig
from diffusion_core.errors import UserError
from diffusion_core.schedules import interpolated, karras, noise_levels


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 1000])
def test_strictly_falling_with_exact_ends(steps):
    sigmas = karras(steps, 0.02, 40.0)
    assert len(sigmas) == steps + 1
    assert (sigmas.diff() < 0).all()
    assert sigmas[0] == 40.0 and sigmas[-1] == 0
    if steps > 1:
        assert sigmas[-2] == torch.tensor(0.02, dtype=torch.float64)


def test_middle_value_by_hand():
    assert float(karras(3, 1.0, 128.0, 7.0)[1]) == pytest.approx(1.5**7)  # 128^(1/7) = 2


def test_no_steps_is_refused():
    with pytest.raises(UserError, match="at least 1"):
        karras(0, 0.02, 40)


def test_found_levels_are_used_as_they_are_and_interpolated_in_their_logarithm():
    levels = (16.0, 4.0, 1.0)
    assert interpolated(levels, 3).tolist() == [16, 4, 1, 0]
    assert interpolated(levels, 5).tolist() == pytest.approx([16, 8, 4, 2, 1, 0])
    assert interpolated(levels, 2).tolist() == pytest.approx([16, 1, 0])
    assert interpolated(levels, 1).tolist() == pytest.approx([16, 0])
    assert interpolated((9.0,), 1).tolist() == pytest.approx([9, 0])
    assert noise_levels(SampleConfig(levels=levels, steps=3)).tolist() == [16, 4, 1, 0]
    assert noise_levels(SampleConfig(steps=4)).tolist() == karras(4, 0.02, 40.0).tolist()
