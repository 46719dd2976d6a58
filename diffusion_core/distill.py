"""A student that draws in one to four network calls, from a teacher that needs more.

It starts as its teacher. At each of the few noise levels that it will be used at it learns where the guided teacher's
path from there ends (Luhman & Luhman 2021; here from noised images too, solved by UniPC on the teacher's grid). Then a
critic joins in: it sees the images that the student makes at those very levels, beside real ones. From then on half of
a batch goes to either.
"""

import torch
from torch import Tensor

from diffusion_core.checkpoint import Checkpoint
from diffusion_core.config import DistillConfig, TrainConfig, to_dict
from diffusion_core.critic import Critic, critic_loss, generator_loss
from diffusion_core.data import Dataset
from diffusion_core.denoiser import c_out
from diffusion_core.guidance import guided
from diffusion_core.samplers import unipc
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
        """How far from the teacher the whole batch is; later its first half, and the critic's opinion of the second."""
        dropped = torch.rand(len(labels), generator=generator) < self.config.label_dropout
        noise = torch.randn(x0.shape, generator=generator)
        x0, labels, noise, dropped = (v.to(self.device) for v in (x0, labels, noise, dropped))
        told = torch.where(dropped, self.denoiser.null_label, labels)
        copied = len(x0) // 2 if self.polishing else len(x0)
        sigma = self.shared_out(copied)
        x = x0[:copied] + sigma.view(-1, 1, 1, 1) * noise[:copied]
        losses = self.apart(x, sigma, told[:copied])
        if not self.polishing:
            return losses, sigma
        adversarial, used = self._adversarial(x0[copied:], labels[copied:], generator)
        return torch.cat([losses, self.distill.critic_weight * adversarial]), torch.cat([sigma, used])

    def shared_out(self, n: int) -> Tensor:
        """Noise levels [n]: half of them the first one, from which an image is made of nothing, the rest in turn."""
        first, *rest = self.distill.levels
        levels = [first if i % 2 == 0 else rest[i // 2 % len(rest)] for i in range(n)]
        return torch.tensor(levels, device=self.device)

    def apart(self, x: Tensor, sigma: Tensor, labels: Tensor) -> Tensor:
        """[N]: how far the student's guess at x is from where the guided teacher ends.

        ||D(x, sigma) - end|| / c_out(sigma), not squared: one blurred compromise is not better than a sharp image.
        """
        difference = (self.denoiser(x, sigma, labels) - self.ends(x, sigma, labels)) / c_out(sigma).view(-1, 1, 1, 1)
        return (difference.square().mean(dim=(1, 2, 3)) + HUBER**2).sqrt() - HUBER

    @torch.no_grad()
    def ends(self, x: Tensor, sigma: Tensor, labels: Tensor) -> Tensor:
        """[N, C, H, W]: the image that the guided teacher's path from x at noise level sigma [N] leads to."""
        found = torch.empty_like(x)
        for level in sigma.unique():
            rows = sigma == level
            grid = torch.cat([level[None], self.path[self.path < level]])
            denoise = guided(self.teacher, labels[rows], self.distill.guidance, self.distill.interval)
            *_, last = unipc(denoise, x[rows], grid.double())
            found[rows] = last.x
        return found

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
