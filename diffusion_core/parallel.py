"""Many small jobs on all cores of a CPU: one thread a job, instead of all threads on each job in turn.

The threads of one small convolution wait for each other again and again; side by side they do not. What a job computes
is the same to the bit.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import torch


def side_by_side(job: Callable, items: Sequence, device: torch.device) -> Iterator:
    """`job` of each item, in their order. Grad mode belongs to a thread: the job has to set its own."""
    threads = min(torch.get_num_threads(), len(items))
    if threads == 1 or device.type != "cpu":
        yield from map(job, items)
        return
    pool = ThreadPoolExecutor(threads, initializer=partial(torch.set_num_threads, 1))  # of that thread alone
    try:
        yield from pool.map(job, items)
    finally:
        pool.shutdown(cancel_futures=True)
