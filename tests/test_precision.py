"""bfloat16 and float32 draw the same digits; and drawing and training need no more memory the longer they go on."""

import subprocess
import sys

import psutil
import pytest
import torch

from diffusion_core import checkpoint as checkpoints
from diffusion_core.data import ROOT, load
from diffusion_core.device import best_dtype
from diffusion_core.generate import generate
from diffusion_core.noise import plan
from diffusion_core.train import Trainer
from eval.judge import load_judge
from tests.conftest import TINY, TINY_PRESET

MEAN_TOLERANCE = 2.0  # of 255 grey levels, over all pixels of a digit
SHARE = 0.95  # of the digits that stay within it; the others are those where a stroke went another way
SAMPLE = """
import sys
from diffusion_core import checkpoint
from diffusion_core.generate import generate
from diffusion_core.noise import plan
from dataclasses import replace
model = checkpoint.load(sys.argv[1])
generate(model, *plan(1000, 0, 10), replace(model.meta.sample, steps=1))
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.parametrize("name", ["mnist", "mnist-turbo"])
def test_both_precisions_draw_the_same_digits(name):
    model = checkpoints.load(ROOT / "checkpoints" / name)
    labels, seeds = plan(10, 0, 10)
    drawn = {}
    for dtype in (torch.float32, torch.bfloat16):
        model.denoiser.dtype = dtype
        drawn[dtype] = generate(model, labels, seeds, model.meta.sample)
    apart = (drawn[torch.float32].float() - drawn[torch.bfloat16].float()).abs().mean(dim=(1, 2, 3))
    assert not torch.equal(*drawn.values())  # they are two paths
    assert float((apart < MEAN_TOLERANCE).float().mean()) >= SHARE, apart.sort().values[-10:]
    judge = load_judge("classifier")
    read = [judge.logits(images).argmax(1) for images in drawn.values()]
    assert int((read[0] != read[1]).sum()) <= 1


def test_the_precision_is_the_processors():
    made_for_it = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    assert best_dtype(torch.device("cpu")) == (torch.bfloat16 if made_for_it else torch.float32)


def test_ten_thousand_digits_need_less_than_a_gigabyte():
    command = [sys.executable, "-c", SAMPLE, str(ROOT / "checkpoints" / "mnist-turbo")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) * 1024 < 1e9


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_training_does_not_grow(optimizer):
    from dataclasses import replace

    trainer = Trainer(TINY, replace(TINY_PRESET.train, optimizer=optimizer), load("mnist"), torch.device("cpu"))
    process, sizes = psutil.Process(), []
    for _ in range(3):
        for _ in range(40):
            trainer.train_step()
        sizes.append(process.memory_info().rss)
    assert sizes[-1] - sizes[0] < 8 << 20
