import os
import signal

import pytest
import torch

from analysis.resources import Options, Resources


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_is_killed_is_told_in_a_line() -> None:
    """As the system does where memory is short."""
    with (
        pytest.raises(OSError, match="a worker process was ended from outside"),
        Resources(torch.device("cpu"), Options()) as resources,
    ):
        resources.run_all(die, [()])


def test_jobs_run_side_by_side_on_one_thread_each() -> None:
    with Resources(torch.device("cpu"), Options()) as resources:
        assert resources.run_all(torch.get_num_threads, [(), ()]) == [1, 1]
