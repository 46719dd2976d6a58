"""A student that draws in one to four network calls, from a teacher that needs ten.

It starts as its teacher. First consistency distillation (Song et al. 2023, algorithm 2): its guess from a point x_t on
the teacher's guided path is to be its own guess from the next point x_r, one step of Heun's method nearer to the image.
Then a critic joins in: it sees the images that the student makes at the very noise levels it will be used at, beside
real ones. From then on half of a batch goes to either.
"""

import torch
from torch import Tensor

from diffusion_core.checkpoint import Checkpoint
from diffusion_core.config import DistillConfig, TrainConfig, to_dict
from diffusion_core.critic import Critic, critic_loss, generator_loss
from diffusion_core.data import Dataset
from diffusion_core.denoiser import c_out
from diffusion_core.guidance import guided
from diffusion_core.train import StepResult, Trainer

CRITIC_BETAS = (0.0, 0.99)
HUBER = 1e-3  # below this root mean square a difference counts quadratically


class Distiller(Trainer):
    """A `Trainer` whose network is the student of `teacher`."""

    def __init__(
        self, teacher: Checkpoint, config: TrainConfig, distill: DistillConfig, data: Dataset, device: torch.device
    ):
        super().__init__(teacher.meta.network, config, data, device)
        self.teacher, self.teacher_sha256, self.distill = teacher.denoiser, teacher.meta.sha256, distill
        for student in (self.denoiser, self.average):
            student.load_state_dict(teacher.denoiser.state_dict())
        self.path = torch.tensor((*distill.path, 0.0), device=device)
        self.critic = Critic(teacher.denoiser).to(device, memory_format=torch.channels_last).train()
        self.critic_optimizer = torch.optim.Adam(self.critic.parameters(), distill.critic_lr, CRITIC_BETAS, fused=True)
        self.parts["critic"] = self.critic
        self.made = None  # what the critic is to tell from real: (real, made, sigma, labels, jitter)

    @property
    def polishing(self) -> bool:
        return self.images >= self.distill.polish_after

    def every_optimizer(self) -> list[torch.optim.Optimizer]:
        return [*super().every_optimizer(), self.critic_optimizer]

    def configs(self) -> dict[str, dict]:
        return super().configs() | {"distill": to_dict(self.distill), "teacher": {"sha256": self.teacher_sha256}}

    def train_step(self) -> StepResult:
        """A step of the student, then one of the critic if it has begun."""
        result = super().train_step()
        if self.made and result.applied:
            self.critic.zero_grad()  # the student's step left gradients here
            critic_loss(self.critic, *self.made).mean().backward()
            torch.nn.utils.clip_grad_norm_(self.critic.parameters(), self.config.clip)
            self.critic_optimizer.step()
        self.made = None
        return result

    def losses(self, x0: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Of the whole batch consistency; later that of its first half, and the critic's opinion of the second."""
        dropped = torch.rand(len(labels), generator=generator) < self.config.label_dropout
        at = self._places(len(labels), generator)
        noise = torch.randn(x0.shape, generator=generator)
        x0, labels, at, noise, dropped = (v.to(self.device) for v in (x0, labels, at, noise, dropped))
        told, sigma = torch.where(dropped, self.denoiser.null_label, labels), self.path[at]
        x = x0 + sigma.view(-1, 1, 1, 1) * noise
        if not self.polishing:
            return self.consistency(x, at, told), sigma
        half = len(x0) // 2
        adversarial, used = self._adversarial(x0[half:], labels[half:], generator)
        losses = self.consistency(x[:half], at[:half], told[:half])
        return torch.cat([losses, self.distill.critic_weight * adversarial]), torch.cat([sigma[:half], used])

    def consistency(self, x: Tensor, at: Tensor, labels: Tensor) -> Tensor:
        """[N]: how far the student's guess at x is from its guess one step further on the teacher's path.

        x is at noise level path[at]. ||D(x, t) - D(x_r, r)|| / c_out(t), not squared: one blurred compromise is not
        better than a sharp digit.
        """
        sigma, nearer = self.path[at], self.path[at + 1]
        s, r, last = (v.view(-1, 1, 1, 1) for v in (sigma, nearer, nearer == 0))
        above = torch.where(nearer == 0, sigma, nearer)  # no network is asked at noise level 0
        with torch.no_grad():
            teacher = guided(self.teacher, labels, self.distill.guidance, self.distill.interval)
            slope = (x - teacher(x, sigma)) / s
            there = x + (r - s) * slope
            second = (there - teacher(there, above)) / above.view(-1, 1, 1, 1)
            there = torch.where(last, there, x + (r - s) * (slope + second) / 2)
            target = torch.where(last, there, self.denoiser(there, above, labels))
        apart = (self.denoiser(x, sigma, labels) - target) / c_out(s)
        return (apart.square().mean(dim=(1, 2, 3)) + HUBER**2).sqrt() - HUBER

    def _places(self, n: int, generator: torch.Generator) -> Tensor:
        """Places on the path [n]: half of them anywhere, half exactly those that the student is used at."""
        used = torch.tensor([self.distill.path.index(level) for level in self.distill.levels])
        used = used[torch.randint(len(used), (n,), generator=generator)]
        anywhere = torch.randint(len(self.distill.path), (n,), generator=generator)
        return torch.where(torch.rand(n, generator=generator) < 0.5, anywhere, used)

    def _adversarial(self, real: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """[N] each, loss and noise level. Half of the images are made in one call, half by a second after a first."""
        noise = [torch.randn(real.shape, generator=generator).to(real.device) for _ in range(5)]
        first, rest = self.distill.levels[0], torch.tensor(self.distill.levels[1:])
        at = rest[torch.randint(len(rest), (len(real),), generator=generator)].to(real.device)
        start = torch.arange(len(real), device=real.device) % 2 == 0  # these are made in one call
        x, sigma = first * noise[0], torch.where(start, first, at)
        with torch.no_grad():
            guess = self.denoiser(x[~start], torch.tensor(first), labels[~start])
        x[~start] = guess + at[~start].view(-1, 1, 1, 1) * noise[1][~start]
        made = self.denoiser(x, sigma, labels)
        mean, std = self.distill.critic_noise
        tau = (mean + std * torch.randn(len(real), generator=generator)).exp().to(real.device)
        t = tau.view(-1, 1, 1, 1)
        self.made = (real + t * noise[3], made.detach() + t * noise[2], tau, labels, noise[4])
        return generator_loss(self.critic, made + t * noise[2], tau, labels), sigma
