"""Tuning a checkpoint by a reward: any differentiable function of its images, or one without a gradient.

`draft`: the reward is back-propagated through the last calls of the path that draws an image (Clark et al. 2024,
DRaFT-K; Prabhudesai et al. 2023, AlignProp). `refl`: through one estimate of it, half-way (Xu et al. 2023,
ImageReward). `ddpo`: by the gradient of the policy, which needs no gradient of the reward (Black et al. 2024).
`weighted`: the plain training loss, where examples whose estimate earns little count more.

All draw as the checkpoint is drawn, without guidance. The first two draw many candidates, follow the reward with those
that earn least, and hold the rest where the parent puts them: a network that is only pushed drifts, and what drifts
first is the variety of images that nothing was wrong with (LOG.md).
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint as recomputed

from diffusion_core.checkpoint import Checkpoint
from diffusion_core.config import SampleConfig, TrainConfig, TuneConfig, to_dict
from diffusion_core.data import Dataset
from diffusion_core.denoiser import c_out
from diffusion_core.errors import UserError
from diffusion_core.generate import ROWS
from diffusion_core.loss import denoising_loss, draw
from diffusion_core.parallel import side_by_side
from diffusion_core.pixels import to_unit
from diffusion_core.samplers import SAMPLERS, ancestral
from diffusion_core.schedules import noise_levels
from diffusion_core.train import StepResult, Trainer

Reward = Callable[[Tensor, Tensor], Tensor]  # pixels in [0, 1] [N, C, H, W], labels int [N] -> [N], higher is better


class Aim(NamedTuple):
    """A reward, and the scorers that are no judges any more of what follows it."""

    reward: Reward
    scorers: tuple[str, ...]


FOLLOWED = 4  # one of so many of a batch follows the reward: those of all candidates that earn least
HELD = 4  # states for each image of a batch at which an estimate is held to the parent's
FREE = 0.01  # of `TuneConfig.distance`: what those pay for it that follow the reward
MEMORY = 0.95  # weight of the past in a label's mean reward
FLOOR = 0.05  # of a label's share among those that are drawn by need, before they are made to sum to 1


class Drawn(NamedTuple):
    """Candidates: labels int [N], noise [N, C, H, W], x before each call [calls, N, C, H, W], rewards [N]."""

    labels: Tensor
    noise: Tensor
    visited: Tensor
    earned: Tensor


class Tuner(Trainer):
    """A `Trainer` whose network begins as `parent`, follows a reward, and draws as `sample` says, without guidance."""

    def __init__(
        self, parent: Checkpoint, config: TrainConfig, tune: TuneConfig, sample: SampleConfig, reward: Reward,
        data: Dataset, device: torch.device,
    ):  # fmt: skip
        super().__init__(parent.meta.network, config, data, device)
        if tune.method not in METHODS:
            raise UserError(f"There is no way of tuning {tune.method!r}. Known: {', '.join(METHODS)}.")
        if tune.method == "ddpo" and sample.steps < 2:
            raise UserError("ddpo needs a checkpoint that is drawn in two steps or more: only steps with noise count.")
        self.parent, self.parent_sha256 = parent.denoiser, parent.meta.sha256
        self.tune, self.sample, self.reward = tune, sample, reward
        self.sigmas = noise_levels(self.sample).to(device)
        for tuned in (self.denoiser, self.average):
            tuned.load_state_dict(parent.denoiser.state_dict())
        self.denoiser.eval()  # it is compared with its parent, to the bit before its first step
        self.memory = nn.Module()
        self.memory.register_buffer("rewards", torch.zeros(parent.meta.network.classes))  # running means, by label
        self.parts["memory"] = self.memory
        self.earned: Tensor | None = None  # by all that the last step drew

    def configs(self) -> dict[str, dict]:
        return super().configs() | {"tune": to_dict(self.tune), "parent": {"sha256": self.parent_sha256}}

    def train_step(self) -> StepResult:
        """A step, and what the images that it drew earned on average, those it followed and all others."""
        return super().train_step()._replace(reward=float(self.earned.mean()))

    def losses(self, x0: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The loss of every image that counts, and the noise level that its gradient begins at, [M] each."""
        x0, labels = x0.to(self.device), labels.to(self.device)
        losses, sigma = METHODS[self.tune.method](self, x0, labels, generator)
        return losses, sigma.expand(len(losses))

    def draft(self, x0: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Through the last calls of the whole path."""
        drawn = self._candidates(x0, labels, generator)
        losses, sigma = self._through_path(*self._least(drawn), generator)
        return losses + self._held(drawn, generator), sigma

    def refl(self, x0: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Through one estimate, at a noise level of the second half of the path, another one every batch."""
        drawn = self._candidates(x0, labels, generator)
        losses, sigma = self._through_estimate(*self._least(drawn), generator)
        return losses + self._held(drawn, generator), sigma

    def ddpo(self, x0: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """- advantage x log p(x_next | x), for `last` of the steps of ancestral sampling (`samplers.ancestral`)."""
        labels = self._by_need(labels, generator)
        with torch.no_grad():
            steps = ancestral(
                lambda x, s: self.denoiser(x, s, labels), self.sigmas[0].float() * self._noise(x0, generator),
                self.sigmas, lambda: self._noise(x0, generator),
            )  # fmt: skip
            visited = [step.x for step in steps]
            self.earned = self.reward(to_unit(visited[-1], self.data.spec), labels)
        self._remember(labels)
        advantage = (self.earned - self.earned.mean()) / (self.earned.std() + 1e-6)
        random = torch.randperm(len(self.sigmas) - 2, generator=generator)  # the last step has no noise
        random = random[: self.tune.last]
        away: list[Tensor] = []
        denoise, losses = self._near(labels, away), torch.zeros(len(labels), device=self.device)
        for i in random.tolist():
            s, s_next = self.sigmas[i], self.sigmas[i + 1]
            kept = (s_next / s).square()
            D = denoise(visited[i], s)
            mean, variance = D + kept.float() * (visited[i] - D), s_next.square() * (1 - kept)
            surprise = (visited[i + 1] - mean).square().mean(dim=(1, 2, 3)) / (2 * variance).float()  # -log p a pixel
            losses = losses + advantage * surprise / len(random)
        return losses + FREE * self.tune.distance * sum(away) / len(away), self.sigmas[int(random[0])]

    def weighted(self, x0: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The training loss of real examples, each weighted by what its estimate lacks beside the batch's best."""
        draws = draw(x0, labels, self.denoiser.null_label, self.config, generator)
        draws = draws._replace(noise=draws.noise.to(self.device), sigma=draws.sigma.to(self.device))
        with torch.no_grad():
            s = draws.sigma.view(-1, 1, 1, 1)
            estimate = self.denoiser(x0 + s * draws.noise, draws.sigma, labels)
            self.earned = self.reward(to_unit(estimate, self.data.spec), labels)
            weights = 1 + self.earned.max() - self.earned
        self._remember(labels)
        return weights / weights.mean() * denoising_loss(self.denoiser, x0, draws), draws.sigma

    def _through_path(self, labels: Tensor, noise: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        last = min(self.tune.last, len(self.sigmas) - 1)
        away: list[Tensor] = []
        steps = self._path(self._near(labels, away), noise, generator)
        with torch.no_grad():
            for _ in range(len(self.sigmas) - 1 - last):
                next(steps)
        *_, end = steps
        return self._loss(end.x, labels, sum(away) / len(away)), self.sigmas[-1 - last]

    def _through_estimate(self, labels: Tensor, noise: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        levels = len(self.sigmas) - 1
        at = int(torch.randint(levels // 2, levels, (1,), generator=generator))
        away: list[Tensor] = []
        denoise = self._near(labels, away)
        steps = self._path(denoise, noise, generator)
        with torch.no_grad():
            for _ in range(at + 1):
                step = next(steps)
        return self._loss(denoise(step.x, self.sigmas[at]), labels, away[0]), self.sigmas[at]

    def _candidates(self, x0: Tensor, labels: Tensor, generator: torch.Generator) -> Drawn:
        """`candidates` times a batch, drawn without a gradient, and what each earns."""
        labels = self._by_need(labels.repeat(self.tune.candidates), generator)
        noise = self._noise(x0.repeat(self.tune.candidates, 1, 1, 1), generator)
        blocks = [slice(start, start + ROWS) for start in range(0, len(labels), ROWS)]
        first = torch.randint(2**31, (len(blocks),), generator=generator).tolist()
        draws = [torch.Generator().manual_seed(seed) for seed in first]

        @torch.no_grad()
        def draw_block(i: int) -> tuple[Tensor, Tensor]:
            rows = blocks[i]
            steps = list(self._path(lambda x, s: self.denoiser(x, s, labels[rows]), noise[rows], draws[i]))
            return torch.stack([step.x for step in steps[:-1]]), steps[-1].x

        visited, ends = zip(*side_by_side(draw_block, range(len(blocks)), self.device), strict=True)
        with torch.no_grad():
            earned = self.reward(to_unit(torch.cat(ends), self.data.spec), labels)
        self.earned = earned
        self._remember(labels)
        return Drawn(labels, noise, torch.cat(visited, 1), earned)

    def _least(self, drawn: Drawn) -> tuple[Tensor, Tensor]:
        """Labels and noise of the candidates that earn least, one for FOLLOWED images of a batch."""
        rows = drawn.earned.argsort(stable=True)[: max(1, self.config.batch // FOLLOWED)]
        return drawn.labels[rows], drawn.noise[rows]

    def _held(self, drawn: Drawn, generator: torch.Generator) -> Tensor:
        """What it costs that estimates of the other candidates, at random places of their paths, leave the parent's."""
        others = drawn.earned.argsort(stable=True)[max(1, self.config.batch // FOLLOWED) :]
        if not (self.tune.distance and len(others)):
            return torch.zeros((), device=self.device)
        count, last = HELD * self.config.batch, min(self.tune.last, len(self.sigmas) - 1)
        who = others[torch.randint(len(others), (count,), generator=generator).to(self.device)]
        at = torch.randint(len(self.sigmas) - 1 - last, len(self.sigmas) - 1, (count,), generator=generator)
        away: list[Tensor] = []
        self._near(drawn.labels[who], away)(drawn.visited[at, who], self.sigmas[at].float())
        return self.tune.distance * away[0].mean()

    def _path(self, denoise: Callable, noise: Tensor, generator: torch.Generator):
        """The sampler that the checkpoint is drawn with, from pure noise."""
        start = self.sigmas[0].float() * noise
        return SAMPLERS[self.sample.sampler](denoise, start, self.sigmas, lambda: self._noise(noise, generator))

    def _noise(self, like: Tensor, generator: torch.Generator) -> Tensor:
        return torch.randn(like.shape, generator=generator).to(self.device)

    def _near(self, labels: Tensor, away: list[Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
        """The denoiser; with a gradient it is recomputed on the way back, and `away` told how far it is from the
        parent's estimate: their mean squared difference [N] over c_out^2, as the training loss weighs it. So what is
        done to an image at the last levels, where a judge can be pleased by a texture, costs most."""

        def own(x: Tensor, sigma: Tensor) -> Tensor:
            return self.denoiser(x, sigma, labels)

        def denoise(x: Tensor, sigma: Tensor) -> Tensor:
            if not torch.is_grad_enabled():
                return own(x, sigma)
            D = recomputed(own, x, sigma, use_reentrant=False)
            with torch.no_grad():
                theirs = self.parent(x, sigma, labels)
            scale = c_out(sigma).to(D.dtype).view(-1, 1, 1, 1)
            away.append(((D - theirs) / scale).square().mean(dim=(1, 2, 3)))
            return D

        return denoise

    def _loss(self, x: Tensor, labels: Tensor, away: Tensor) -> Tensor:
        """Minus the reward of images in model range, plus what the distance from the parent costs."""
        return FREE * self.tune.distance * away - self.reward(to_unit(x, self.data.spec), labels)

    def _by_need(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        """The labels of a batch, a share of them replaced by labels that earn little."""
        count = int(self.tune.focus * len(labels))
        lacking = self.memory.rewards.max() - self.memory.rewards
        if not count or not lacking.any():
            return labels
        shares = (lacking / lacking.sum() + FLOOR).cpu()
        wanted = torch.multinomial(shares, count, replacement=True, generator=generator).to(self.device)
        return torch.cat([wanted, labels[count:]])

    def _remember(self, labels: Tensor) -> None:
        """Running mean of every label's reward; what is no number is passed over."""
        means = self.memory.rewards
        for label in labels.unique().tolist():
            now = self.earned[labels == label].mean()
            if now.isfinite():
                means[label] = now if means[label] == 0 else MEMORY * means[label] + (1 - MEMORY) * now


METHODS = {"draft": Tuner.draft, "refl": Tuner.refl, "ddpo": Tuner.ddpo, "weighted": Tuner.weighted}
