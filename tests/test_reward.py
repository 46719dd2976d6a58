"""Tuning by a reward: its gradient in double precision, what nonsense does not do to it, and that it resumes."""

from dataclasses import replace

import pytest
import torch

from diffusion_core import checkpoint as checkpoints
from diffusion_core import reward as rewards
from diffusion_core.config import SampleConfig, TrainConfig, TuneConfig
from diffusion_core.data import load
from diffusion_core.errors import UserError
from diffusion_core.fit import fit
from diffusion_core.pixels import to_unit
from diffusion_core.presets import tuned
from diffusion_core.reward import METHODS, Aim, Tuner
from diffusion_core.samplers import SAMPLERS
from tests.oracle import standard_normal

BATCH, CPU = 8, torch.device("cpu")
TRAIN = TrainConfig(batch=BATCH, warmup_images=BATCH, lr=1e-3)
SAMPLE = SampleConfig("euler", steps=4, guidance=1.0)


def darkness(pixels, labels):
    """A reward with a gradient: the darker the image, the better."""
    return -pixels.mean(dim=(1, 2, 3))


def tuner(parent, reward=darkness, sample=SAMPLE, train=TRAIN, **changes) -> Tuner:
    tune = replace(TuneConfig(candidates=2), **changes)
    return Tuner(parent, train, tune, sample, reward, load("mnist"), CPU)


def draws(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    return standard_normal(BATCH, 1, 28, 28).float(), torch.arange(BATCH)


@pytest.fixture
def exact(tiny, monkeypatch):
    """A tuner in double precision throughout, whose reward sees what the clipping to pixels would hide."""
    monkeypatch.setattr(rewards, "to_unit", lambda x, spec: x)
    monkeypatch.setattr(rewards, "FREE", 1.0)  # those that follow pay the whole price
    made = tuner(tiny, lambda pixels, labels: pixels.square().mean(dim=(1, 2, 3)), distance=0.5)
    for network in (made.denoiser, made.parent):
        network.double()
        network.dtype = torch.float64
    made._noise = lambda like, generator: torch.randn(like.shape, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        made.denoiser.network.conv_out.weight += 0.02  # away from the parent: its distance has a gradient, too
    return made


@pytest.mark.parametrize("last", [1, 2, 4])
@pytest.mark.parametrize("sampler", ["euler", "unipc", "consistency"])
def test_the_gradient_through_the_last_calls_is_that_of_finite_differences(exact, last, sampler):
    """What comes before the last calls is held fixed, so the difference is taken with the images that it led to.

    The parent's estimate is a target, so its price has that gradient where nothing led to it: at one call.
    """
    exact.tune = replace(exact.tune, last=last, distance=0.5 if last == 1 else 0.0)
    exact.sample = replace(SAMPLE, sampler=sampler)
    noise, labels = standard_normal(2, 1, 28, 28), torch.arange(2)

    def loss() -> torch.Tensor:
        return exact._through_path(labels, noise, draws())[0].mean()

    loss().backward()
    weight = exact.denoiser.network.conv_out.weight
    direction = standard_normal(*weight.shape)
    found = float((weight.grad * direction).sum())
    if last < SAMPLE.steps:
        pinned = _pinned(exact, last, noise, labels)
    with torch.no_grad():
        values = []
        for sign in (1, -1):
            weight += sign * 1e-5 * direction
            with torch.enable_grad():
                values.append(float((loss() if last == SAMPLE.steps else pinned()).detach()))
            weight -= sign * 1e-5 * direction
    assert found == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-4) and abs(found) > 1e-6


def _pinned(exact, last, noise, labels):
    """The same loss with the first calls answered by the weights as they are now."""
    before, count = [], SAMPLE.steps - last
    own = exact.denoiser.forward

    def note(x, sigma, label):
        D = own(x, sigma, label)
        if len(before) < count:
            before.append(D.detach())
        return D

    exact.denoiser.forward = note
    exact._through_path(labels, noise, draws())
    exact.denoiser.forward = own

    def loss():
        calls = iter(before)

        def replay(x, sigma, label):
            return next(calls, None) if not torch.is_grad_enabled() else own(x, sigma, label)

        exact.denoiser.forward = replay
        value = exact._through_path(labels, noise, draws())[0].mean()
        exact.denoiser.forward = own
        return value

    return loss


def test_memory_stays_flat_in_the_number_of_calls(tiny):
    """What is kept for the way back grows by an image a call, not by a network's activations."""

    def kept(last: int) -> int:
        made, total = tuner(tiny, sample=replace(SAMPLE, steps=8), last=last, focus=0.0), 0

        def pack(tensor):
            nonlocal total
            total += tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            made.draft(*batch(), draws())
        return total

    one, eight = kept(1), kept(8)
    activations = BATCH * 28 * 28 * 16  # of a single layer of the tiny network, before it is folded
    assert eight - one < activations


def by_label(pixels, labels):
    """A reward that 3 and 5 lack, 5 more than 3."""
    return -1.0 * (labels == 3) - 2.0 * (labels == 5) + 0 * pixels.mean(dim=(1, 2, 3))


def test_those_that_earn_least_follow_and_the_others_are_held(tiny):
    made = tuner(tiny, by_label, focus=0.0, candidates=4)
    drawn = made._candidates(*batch(), draws())
    assert len(drawn.labels) == 4 * BATCH and drawn.visited.shape == (SAMPLE.steps, 4 * BATCH, 1, 28, 28)
    labels, noise = made._least(drawn)
    assert labels.tolist() == [5, 5] and torch.equal(noise, drawn.noise[[5, 5 + BATCH]])
    assert float(made._held(drawn, draws()).detach()) == 0.0, "the network is its parent still"
    with torch.no_grad():
        made.denoiser.network.conv_out.weight += 0.1
    asked = []
    made.parent = lambda x, sigma, labels: (asked.append((x, labels)), made.denoiser(x, sigma, labels) + 1)[1]
    held = made._held(drawn, draws())
    held.backward()
    (x, labels), last = asked[0], SAMPLE.steps
    assert len(x) == rewards.HELD * BATCH and float(held.detach()) > 0
    assert labels.bincount(minlength=10)[5] < labels.bincount(minlength=10)[3], "two of the four 5 are followed"
    known = drawn.visited[-last:].flatten(0, 1)
    assert all(any(torch.equal(one, place) for place in known) for one in x[:5])


def test_a_candidate_is_what_the_sampler_draws_from_its_noise(tiny):
    made = tuner(tiny, darkness, focus=0.0, candidates=5)
    drawn = made._candidates(*batch(), draws())
    assert len(drawn.labels) == 40, "more than a block"
    with torch.no_grad():
        steps = list(SAMPLERS["euler"](lambda x, s: made.denoiser(x, s, drawn.labels), made.sigmas[0].float()
                                       * drawn.noise, made.sigmas, None))  # fmt: skip
    torch.testing.assert_close(drawn.visited[2], steps[2].x, rtol=0.02, atol=0.05)
    wanted = darkness(to_unit(steps[-1].x, made.data.spec), drawn.labels)
    torch.testing.assert_close(drawn.earned, wanted, rtol=0.02, atol=0.01)
    assert torch.equal(made.earned, drawn.earned)


@pytest.mark.parametrize("method", ["draft", "refl"])
def test_following_the_gradient_raises_the_reward(tiny, method):
    made = tuner(tiny, method=method, distance=0.0)
    earned = [made.train_step().reward for _ in range(60)]
    first, last = (sum(part) / 20 for part in (earned[:20], earned[-20:]))
    assert last > first + 0.02


def test_the_policys_gradient_is_that_of_the_transitions_log_probability(tiny):
    """Every transition of ancestral sampling is a normal distribution, which torch knows the density of."""
    made = tuner(tiny, method="ddpo", distance=0.0, focus=0.0, last=2)
    x0, labels = batch()
    losses, _ = made.ddpo(x0, labels, draws())
    losses.sum().backward()
    weight = made.denoiser.network.conv_out.weight
    found = weight.grad.clone()
    weight.grad = None
    generator = draws()  # the very draws of the call above, in their order
    x, path = made.sigmas[0].float() * torch.randn(x0.shape, generator=generator), []
    with torch.no_grad():
        for s, s_next in zip(made.sigmas[:-1], made.sigmas[1:], strict=True):
            path.append(x)
            mean, deviation = _transition(made, x, s, s_next, labels)
            x = mean + deviation * (torch.randn(x0.shape, generator=generator) if s_next > 0 else 0)
        path.append(x)
        earned = darkness(to_unit(x, made.data.spec), labels)
    advantage = (earned - earned.mean()) / (earned.std() + 1e-6)
    chosen = torch.randperm(len(made.sigmas) - 2, generator=generator)[:2].tolist()
    total = 0.0
    for i in chosen:
        normal = torch.distributions.Normal(*_transition(made, path[i], made.sigmas[i], made.sigmas[i + 1], labels))
        total = total - (advantage * normal.log_prob(path[i + 1]).mean(dim=(1, 2, 3))).sum() / 2
    total.backward()
    torch.testing.assert_close(found, weight.grad, rtol=2e-3, atol=1e-6)


def _transition(made, x, s, s_next, labels):
    """Mean and deviation of x_next given x (Ho et al. 2020, eq. 7, in this parametrisation)."""
    kept = (s_next / s) ** 2
    D = made.denoiser(x, s, labels)
    return D + kept.float() * (x - D), (s_next * (1 - kept).sqrt()).float()


def test_the_distance_keeps_it_near_the_parent(tiny):
    away = {}
    for price in (0.0, 100.0):
        made = tuner(tiny, distance=price)
        for _ in range(20):
            made.train_step()
        x, labels = batch()
        with torch.no_grad():
            difference = made.denoiser(x, torch.tensor(1.0), labels) - made.parent(x, torch.tensor(1.0), labels)
        away[price] = float(difference.square().mean())
    assert away[100.0] < away[0.0] / 4


@pytest.mark.parametrize("method", METHODS)
def test_a_reward_that_is_no_number_changes_nothing(tiny, method):
    made = tuner(tiny, lambda pixels, labels: pixels.mean(dim=(1, 2, 3)) * torch.nan, method=method)
    before = {key: value.clone() for key, value in made.denoiser.state_dict().items()}
    result = made.train_step()
    assert not result.applied
    assert all(torch.equal(value, before[key]) for key, value in made.denoiser.state_dict().items())
    assert made.memory.rewards.isfinite().all()


def test_labels_that_earn_little_are_drawn_more_often(tiny):
    made = tuner(tiny, focus=0.5)
    made.memory.rewards.copy_(torch.tensor([0.0] * 5 + [-1.0] + [0.0] * 4))
    labels = torch.arange(10).repeat(100)
    drawn = made._by_need(labels, draws()).bincount(minlength=10)
    assert drawn[5] > 350 and drawn.sum() == 1000 and drawn.min() > 45


def test_the_weights_of_examples_average_to_one(tiny, monkeypatch):
    """A reward that is the same everywhere leaves the training loss as it is."""
    even = tuner(tiny, lambda pixels, labels: torch.full((len(labels),), -3.0), method="weighted")
    losses, sigma = even.weighted(*batch(), draws())
    drawn = rewards.draw(*batch(), even.denoiser.null_label, TRAIN, draws())
    torch.testing.assert_close(losses, rewards.denoising_loss(even.denoiser, batch()[0], drawn))
    assert torch.equal(sigma, drawn.sigma)
    uneven = tuner(tiny, lambda pixels, labels: -labels.float(), method="weighted")
    ratio = uneven.weighted(*batch(), draws())[0] / losses
    torch.testing.assert_close(ratio, (1 + torch.arange(BATCH)) / (1 + torch.arange(BATCH)).float().mean())


def test_pixels_of_the_reward_are_those_of_the_image(tiny):
    spec = load("mnist").spec
    images = load("mnist").images[:4]
    torch.testing.assert_close(to_unit(rewards_range(images, spec), spec), images.float() / 255)


def rewards_range(images, spec):
    from diffusion_core.pixels import to_model

    return to_model(images, spec)


def test_an_unknown_way_is_refused(tiny):
    with pytest.raises(UserError, match="no way of tuning 'magic'"):
        tuner(tiny, method="magic")


def test_a_policy_needs_a_step_with_noise(tiny):
    with pytest.raises(UserError, match="two steps or more"):
        tuner(tiny, sample=replace(SAMPLE, steps=1), method="ddpo")


def test_a_run_resumes_bit_for_bit_and_says_what_it_was_tuned_by(tiny, tmp_path):
    tune, aim = TuneConfig(last=1), Aim(darkness, ("clip",))
    chosen = tuned(tiny.meta, tune)
    chosen = chosen._replace(train=replace(chosen.train, batch=BATCH))
    fit(tmp_path / "whole", chosen, None, 6 * BATCH, parent=tiny, aim=aim)
    for images in (2 * BATCH, 6 * BATCH):
        fit(tmp_path / "parts", chosen, None, images, parent=tiny, aim=aim)
    whole, parts = (checkpoints.load(tmp_path / name) for name in ("whole", "parts"))
    assert whole.meta.sha256 == parts.meta.sha256 != tiny.meta.sha256
    assert whole.meta.rewards == ("clip",) and whole.meta.tune == tune and whole.meta.sample.guidance == 1
    assert whole.meta.parent == f"tiny@{tiny.meta.sha256[:12]}"
    with pytest.raises(UserError, match=r"tune.last 1 -> 2"):
        fit(tmp_path / "parts", chosen._replace(tune=replace(tune, last=2)), None, 99, parent=tiny, aim=aim)
