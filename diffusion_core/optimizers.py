"""Optimizers. `make_optimizers` is the registry: Adam for all parameters, or Muon for the layers inside.

Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon): the momentum of a weight matrix is replaced by
the nearest matrix whose singular values are all about one, so that no direction is learned more slowly than another.
"""

import math

import torch
from torch import Tensor, nn

from diffusion_core.config import OPTIMIZERS, TrainConfig
from diffusion_core.errors import UserError

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # coefficients of the quintic; five steps of it are enough
NEWTON_SCHULZ_STEPS = 5


def make_optimizers(denoiser: nn.Module, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """One or two optimizers that share the parameters; each group remembers its rate as `peak_lr`."""
    if config.optimizer not in OPTIMIZERS:
        raise UserError(f"There is no optimizer {config.optimizer!r}. Known: {', '.join(OPTIMIZERS)}.")
    inside = {name: config.optimizer == "muon" and is_hidden(name, p) for name, p in denoiser.named_parameters()}
    hidden = [p for name, p in denoiser.named_parameters() if inside[name]]
    rest = [p for name, p in denoiser.named_parameters() if not inside[name]]
    made: list[torch.optim.Optimizer] = [torch.optim.Adam(rest, config.lr, config.betas, fused=True)]
    if hidden:
        made.append(Muon(hidden, config.muon_lr))
    for group in (group for optimizer in made for group in optimizer.param_groups):
        group["peak_lr"] = group["lr"]
    return made


def is_hidden(name: str, parameter: Tensor) -> bool:
    """Whether Muon is meant for it: a convolution that is neither the first nor the last layer, or a matrix inside a
    transformer's block (not the one that the embedding enters by)."""
    if ".conv_in." in f".{name}" or ".conv_out." in f".{name}":
        return False
    return parameter.ndim == 4 or (parameter.ndim == 2 and ".blocks." in f".{name}" and ".condition." not in name)


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised: w <- w - lr sqrt(max(1, rows / columns)) O(g + momentum m).

    A convolution [out, in, k, k] is the matrix [out, in k k].
    """

    def __init__(self, parameters: list[Tensor], lr: float = 0.02, momentum: float = 0.95):
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:
        """One update of every parameter that has a gradient."""
        for group in self.param_groups:
            for p in (p for p in group["params"] if p.grad is not None):
                state = self.state[p]
                if not state:
                    state["momentum"] = torch.zeros_like(p)
                state["momentum"].lerp_(p.grad, 1 - group["momentum"])
                update = p.grad.lerp(state["momentum"], group["momentum"])
                matrix = orthogonalised(update.flatten(1))
                scale = math.sqrt(max(1, matrix.shape[0] / matrix.shape[1]))
                p.sub_(matrix.view(p.shape), alpha=group["lr"] * scale)


def orthogonalised(matrix: Tensor) -> Tensor:
    """[m, n] -> the same singular vectors, singular values near one (about .7 to 1.2): Newton-Schulz.

    Every step is x <- (a + b g + c g^2) x with g = x x^T. All that such steps multiply by commutes, so they are
    gathered on the small side of the matrix, and x itself is multiplied once: two large products instead of ten.
    """
    a, b, c = NEWTON_SCHULZ
    x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / (x.norm() + 1e-7)
    gram, whole = x @ x.T, None  # [k, k], k the smaller of m and n
    for _ in range(NEWTON_SCHULZ_STEPS):
        factor = b * gram + c * gram @ gram
        factor.diagonal().add_(a)
        whole = factor if whole is None else factor @ whole
        gram = factor @ gram @ factor
    x = whole @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x
