"""Do the 95 % intervals of metrics of sets hold the mean of their estimator in 95 % of draws?

    python -m benchmarks.intervals

300 draws each of n normal images in d dimensions, equal to the 1,000 real ones, shifted or narrower: the share of
intervals that hold the mean over all draws. With 300 draws 95 % scatters by 2.5 points.
"""

import numpy as np
import torch

from eval.distribution import METRICS, Reference

DRAWS, REAL = 300, 1000
SIZES = ((60, 8), (200, 16))  # n, d
SITUATIONS = {"equal": lambda x: x, "shifted": lambda x: x + 0.5, "narrower": lambda x: 0.7 * x}


def main() -> None:
    """Print a Markdown table: a row a situation, a column a metric."""
    print(f"| | {' | '.join(METRICS)} |\n|{'---|' * (1 + len(METRICS))}")
    for n, d in SIZES:
        reference = Reference(normal(REAL, d, 10**6))
        for name, change in SITUATIONS.items():
            draws = [reference.measure(change(normal(n, d, seed))).estimates for seed in range(DRAWS)]
            shares = [covered([draw[metric] for draw in draws]) for metric in METRICS]
            print(f"| {name}, n = {n}, d = {d} | {' | '.join(f'{share:.3f}' for share in shares)} |", flush=True)


def normal(n: int, d: int, seed: int) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def covered(estimates: list) -> float:
    mean = np.mean([e.value for e in estimates])
    return float(np.mean([e.low <= mean <= e.high for e in estimates]))


if __name__ == "__main__":
    main()
