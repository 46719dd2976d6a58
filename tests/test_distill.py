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


def test_the_exact_consistency_function_has_no_loss_along_an_exact_path(distiller):
    """Gaussian data: f(x, s) = mu + (x - mu) sd / sqrt(sd^2 + s^2). Euler's step is the path as the gap grows."""
    data = Gaussian(mu=0.3, s=0.5)
    distiller.teacher = Told(data.denoise)
    distiller.denoiser = Told(lambda x, s: data.mu + (x - data.mu) * data.s / (data.s**2 + s**2) ** 0.5)
    x, labels = 3 * standard_normal(7, 1, 4, 4), torch.arange(7)
    losses = []
    for per_level in (1, 4, 16):
        distiller.path = torch.cat([torch.logspace(1, -1, 7 * per_level, dtype=torch.float64), torch.zeros(1)])
        losses.append(distiller.consistency(x, torch.arange(7), labels).max())
    assert losses[2] < losses[1] / 4 < losses[0] / 16 and losses[2] < 1e-3
    distiller.denoiser = Told(data.denoise)  # the teacher's estimate is no consistency function
    assert distiller.consistency(x, torch.arange(7), labels).max() > 10 * losses[2]


def test_the_last_place_of_the_path_is_the_teachers_own_estimate(distiller):
    """From path[-1] Heun's step to 0 is of first order: the target is the guided teacher's estimate of the image."""
    distiller.teacher, distiller.denoiser = Told(lambda x, s: 0 * x + 0.25), Told(lambda x, s: 0 * x)
    x, last = standard_normal(2, 1, 4, 4), torch.full((2,), len(PATH) - 1)
    loss = distiller.consistency(x, last, torch.tensor([1, 2]))
    assert loss.tolist() == pytest.approx([0.25 / float(c_out(torch.tensor(PATH[-1])))] * 2, rel=2e-3)


def test_half_of_the_places_are_those_in_use(distiller):
    counts = torch.bincount(distiller._places(6000, torch.Generator().manual_seed(0)), minlength=len(PATH)) / 6000
    used = torch.tensor([level in DISTILL.levels for level in PATH])
    torch.testing.assert_close(counts, torch.where(used, 0.25 + 0.5 / 6, 0.5 / 6), atol=0.02, rtol=0)


def test_the_critic_learns_to_tell_and_the_generator_loss_falls_where_it_is_fooled(tiny):
    critic = Critic(tiny.denoiser)
    assert not {id(p) for p in critic.parameters()} & {id(p) for p in tiny.denoiser.parameters()}
    optimizer = torch.optim.Adam(critic.parameters(), 1e-3)
    data = load("mnist")
    real, labels = data.images[:64].float() / 127.5 - 1, data.labels[:64]
    made = real.roll(1, 0)  # the same digits under other labels: only a critic that reads the label can tell
    made = made.flip(2)
    sigma, jitter = torch.full((64,), 0.3), torch.randn(real.shape, generator=torch.Generator().manual_seed(0))
    before = critic_loss(critic, real, made, sigma, labels, jitter).mean()
    for _ in range(30):
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
            run = fit(tmp_path / folder, preset, None, steps * BATCH, teacher=teacher)
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
        fit(tmp_path / "resumed", preset, None, 7 * BATCH, teacher=checkpoints.load(tmp_path / "other"))
    assert other.sha256 != teacher.meta.sha256


def test_the_students_path_is_guided_more_strongly_than_its_teacher_recommends(tmp_path):
    meta = save_tiny(tmp_path / "tiny")
    meta = replace(meta, sample=replace(meta.sample, guidance=1.7, interval=(0.2, 9.0)))
    preset = student(meta)
    assert preset.distill.guidance == 1.95 and preset.distill.interval == (0.2, 9.0)
    assert preset.sample.guidance == 1 and set(preset.distill.levels) <= set(preset.distill.path)
    assert preset.network == meta.network
