"""Scaled dot-product attention (Vaswani et al. 2017, eq. 1)."""

from torch import Tensor
from torch.nn import functional as F


def attend(q: Tensor, k: Tensor, v: Tensor, training: bool) -> Tensor:
    """softmax(q k^T / sqrt(d)) v of queries, keys and values [..., tokens, d], their type kept.

    Torch's fused attention is written out where a network in training mode has to go back through it on a CPU: with the
    few tokens of small images its backward pass in bfloat16 takes 8 times as long, an eighth of a training step
    (LOG.md). In evaluation mode it is torch's with or without gradients, so that both say the same to the bit.
    """
    if training and q.requires_grad and q.device.type == "cpu":
        return (q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5).softmax(-1) @ v
    return F.scaled_dot_product_attention(q, k, v)
