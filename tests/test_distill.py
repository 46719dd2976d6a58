"""The student: its losses on closed forms, that it resumes bit for bit, and what its manifest says."""

from dataclasses import replace

import pytest
import torch

from diffusion_core import checkpoint as checkpoints
from diffusion_core.config import DistillConfig, TrainConfig
from diffusion_core.critic import Critic, critic_loss, generator_loss
from diffusion_core.data import load
from diffusion_core.denoiser import c_out
from diffusion_core.distill import Distiller
from diffusion_core.errors import UserError
from diffusion_core.fit import fit
from diffusion_core.presets import student
from tests.conftest import random_denoiser, save_tiny
from tests.oracle import Gaussian, standard_normal

BATCH = 16
TRAIN = TrainConfig(batch=BATCH, warmup_images=64)
PATH = (40.0, 10.0, 3.0, 0.75, 0.2, 0.05)
DISTILL = DistillConfig(1.5, (0.3, 5.0), PATH, (40.0, 0.75), polish_after=3 * BATCH)


@pytest.fixture
def distiller(tiny):
    return Distiller(tiny, TRAIN, DISTILL, load("mnist"), torch.device("cpu"))


class Told:
    """A denoiser of Gaussian data in the place of a network."""

    null_label = 10

    def __init__(self, estimate):
        self.estimate = estimate

    def __call__(self, x, sigma, labels):
        return self.estimate(x, sigma.view(-1, 1, 1, 1) if sigma.ndim else sigma)


def test_every_row_is_led_to_the_end_of_its_own_path(distiller):
    """Gaussian data: the end is known, and a finer path comes nearer to it, from whatever level a row starts."""
    data = Gaussian(mu=0.3, s=0.5)
    distiller.teacher = Told(data.denoise)
    sigma = torch.tensor([10.0, 0.75, 10.0, 2.0])
    x = sigma.view(-1, 1, 1, 1) * standard_normal(4, 1, 4, 4).float()
    wanted, errors = data.solution(x, sigma.view(-1, 1, 1, 1), 0.0), []
    for steps in (8, 16, 32):
        distiller.path = torch.cat([torch.logspace(1, -2, steps, dtype=torch.float64), torch.zeros(1)])
        errors.append((distiller.ends(x, sigma, torch.arange(4)) - wanted).abs().amax((1, 2, 3)))
    assert (errors[2] < 2e-3).all() and (errors[2] < errors[0] / 8).all()


def test_who_ends_where_the_teacher_does_has_no_loss(distiller):
    data, sigma = Gaussian(mu=0.3, s=0.5), torch.tensor([10.0, 0.75])
    distiller.teacher = Told(data.denoise)
    distiller.path = torch.cat([torch.logspace(1, -2, 32, dtype=torch.float64), torch.zeros(1)])
    x, labels = 3 * standard_normal(2, 1, 4, 4).float(), torch.tensor([1, 2])
    distiller.denoiser = Told(lambda x, s: data.solution(x, s, 0.0))
    assert distiller.apart(x, sigma, labels).max() < 5e-3
    distiller.denoiser = Told(data.denoise)  # the teacher's estimate is not where it ends
    assert distiller.apart(x, sigma, labels).min() > 0.1


def test_the_distance_is_the_root_mean_square_over_the_scale_of_the_output(distiller):
    """A path that ends in .25 everywhere, and a student that says 0."""
    distiller.teacher, distiller.denoiser = Told(lambda x, s: 0 * x + 0.25), Told(lambda x, s: 0 * x)
    sigma = torch.tensor([40.0, 0.75])
    loss = distiller.apart(standard_normal(2, 1, 4, 4).float(), sigma, torch.tensor([1, 2]))
    torch.testing.assert_close(loss, 0.25 / c_out(sigma), rtol=5e-3, atol=0)


def test_the_path_is_guided_where_the_interval_says(distiller):
    """One step from 3 (inside): the end is D(null) + 1.5 (D(label) - D(null)); from .1 (outside) it is D(label)."""
    distiller.path = torch.tensor([3.0, 0.0])

    class Names:
        null_label = 10

        def __call__(self, x, sigma, labels):
            return 0 * x + labels.view(-1, 1, 1, 1).float()

    distiller.teacher = Names()
    ends = distiller.ends(torch.zeros(2, 1, 2, 2), torch.tensor([3.0, 0.1]), torch.tensor([4, 4]))
    assert ends.mean((1, 2, 3)).tolist() == pytest.approx([10 + 1.5 * (4 - 10), 4])


def test_half_of_a_batch_starts_from_pure_noise(distiller):
    distiller.distill = replace(DISTILL, levels=(40.0, 10.0, 3.0))
    sigma = distiller.shared_out(64)
    assert {float(level): int((sigma == level).sum()) for level in sigma.unique()} == {40.0: 32, 10.0: 16, 3.0: 16}


def test_the_critic_learns_to_tell_and_the_generator_loss_falls_where_it_is_fooled(tiny):
    critic = Critic(tiny.denoiser)
    assert not {id(p) for p in critic.parameters()} & {id(p) for p in tiny.denoiser.parameters()}
    optimizer = torch.optim.Adam(critic.parameters(), 3e-4)  # at 1e-3 the loss leaps up and down
    data = load("mnist")
    real, labels = data.images[:64].float() / 127.5 - 1, data.labels[:64]
    made = real.roll(1, 0)  # the same digits under other labels: only a critic that reads the label can tell
    made = made.flip(2)
    sigma, jitter = torch.full((64,), 0.3), torch.randn(real.shape, generator=torch.Generator().manual_seed(0))
    before = critic_loss(critic, real, made, sigma, labels, jitter).mean()
    for _ in range(60):
        optimizer.zero_grad()
        critic_loss(critic, real, made, sigma, labels, jitter).mean().backward()
        optimizer.step()
    after = critic_loss(critic, real, made, sigma, labels, jitter).mean()
    assert after < 0.7 * before
    fooled = generator_loss(critic, real, sigma, labels).mean()
    assert fooled < generator_loss(critic, made, sigma, labels).mean()


def test_a_student_is_resumed_bit_for_bit_and_names_its_teacher(tmp_path):
    save_tiny(tmp_path / "tiny")
    teacher = checkpoints.load(tmp_path / "tiny")
    preset = student(teacher.meta)._replace(train=TRAIN, distill=DISTILL)
    for folder, stops in (("straight", [6]), ("resumed", [2, 5, 6])):  # the critic begins at step 4
        for steps in stops:
            run = fit(tmp_path / folder, preset, None, steps * BATCH, parent=teacher)
    assert run.trainer.critic_optimizer.state and run.trainer.polishing
    first, second = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("straight", "resumed"))
    assert first == second
    assert first != (tmp_path / "tiny" / "model.safetensors").read_bytes()
    meta = checkpoints.read_meta(tmp_path / "resumed")
    assert meta.parent == f"tiny@{teacher.meta.sha256[:12]}" and meta.distill == DISTILL
    assert meta.sample.sampler == "consistency" and meta.sample.guidance == 1
    with pytest.raises(UserError, match="is a student itself"):
        student(meta)
    other = checkpoints.save(tmp_path / "other", random_denoiser(seed=5), teacher.meta)
    with pytest.raises(UserError, match="another config.*teacher.sha256"):
        fit(tmp_path / "resumed", preset, None, 7 * BATCH, parent=checkpoints.load(tmp_path / "other"))
    assert other.sha256 != teacher.meta.sha256


def test_the_students_path_is_guided_more_strongly_than_its_teacher_recommends(tmp_path):
    meta = save_tiny(tmp_path / "tiny")
    meta = replace(meta, sample=replace(meta.sample, guidance=1.7, interval=(0.2, 9.0)))
    preset = student(meta)
    assert preset.distill.guidance == 1.8 and preset.distill.interval == (0.2, 9.0)
    assert preset.sample.guidance == 1 and preset.sample.levels == (40, 1.2)
    assert preset.distill.levels[0] == preset.distill.path[0] == 40 and preset.distill.levels[-1] == pytest.approx(1.2)
    assert preset.network == meta.network
