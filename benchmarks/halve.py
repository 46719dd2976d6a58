"""Store the weights of a checkpoint in float16: half the size, so that the file of a large network stays under 10 MB.

    python -m benchmarks.halve checkpoints/cifar10

They are used as float32 all the same. What was measured of the weights as they were is forgotten: measure again.
"""

import sys
from dataclasses import replace
from pathlib import Path

import torch

from diffusion_core import checkpoint as checkpoints


def main() -> None:
    folder = Path(sys.argv[1])
    found = checkpoints.load(folder)
    meta = checkpoints.save(folder, found.denoiser, replace(found.meta, scores={}), torch.float16)
    print(f"{folder}: {(folder / checkpoints.WEIGHTS).stat().st_size / 1e6:.1f} MB, sha256 {meta.sha256[:12]}")


if __name__ == "__main__":
    main()
