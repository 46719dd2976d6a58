"""What ran: the processor, the threads, and how fast it multiplies matrices; and how times are taken."""

import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

MATRIX = 2048
LEAST_RUNS = 3


def seconds(call: Callable[[], object], least: float = 1.0) -> float:
    """The median time of `call`: after one run that does not count, at least three runs and `least` seconds of them."""
    call()
    times: list[float] = []
    while len(times) < LEAST_RUNS or sum(times) < least:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def matmul_gflops(dtype: torch.dtype) -> float:
    """GFLOP/s of a square matrix product, the ceiling that a network is held against."""
    a, b = (torch.randn(MATRIX, MATRIX, dtype=dtype) for _ in range(2))
    return 2 * MATRIX**3 / seconds(lambda: a @ b) / 1e9


def flops(module: torch.nn.Module, *arguments) -> int:
    """Floating point operations of one call; 2 a multiply-add, convolutions and matrix products only."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(*arguments)
    return counter.get_total_flops()


def describe() -> dict:
    """The machine, as a JSON object."""
    return {
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "matmul_gflops": {"float32": matmul_gflops(torch.float32), "bfloat16": matmul_gflops(torch.bfloat16)},
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
