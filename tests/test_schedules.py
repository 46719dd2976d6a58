import pytest
import torch

from diffusion_core.errors import UserError
from diffusion_core.schedules import karras


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
