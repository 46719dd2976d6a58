"""Jobs side by side: in order, at the same time, one thread each, and a failure reaches the caller."""

import threading

import pytest
import torch

from diffusion_core.parallel import side_by_side

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    assert torch.get_num_threads() == 2  # a worker's setting is its own
    torch.set_num_threads(before)


def test_results_come_in_the_order_of_the_items_and_jobs_run_at_the_same_time():
    meeting = threading.Barrier(2, timeout=20)  # breaks unless two jobs are there at once

    def job(i):
        meeting.wait()
        return i, torch.get_num_threads()

    assert list(side_by_side(job, range(6), CPU)) == [(i, 1) for i in range(6)]


def test_one_item_has_all_threads():
    assert list(side_by_side(lambda i: (i, torch.get_num_threads()), [7], CPU)) == [(7, 2)]


def test_a_failure_reaches_the_caller_and_ends_the_rest():
    done = []

    def job(i):
        done.append(i)
        if i == 2:
            raise ValueError("two")
        return i

    results = side_by_side(job, range(1000), CPU)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="two"):
        next(results)
    assert len(done) < 1000
