import os
import signal
from itertools import count
from pathlib import Path

import pytest
import torch

from dcvae.utils.workers import run_ahead, worker_pool

ROOT = Path(__file__).parents[3]
PRELOAD = ("torch",)
assigned: list[object] = []


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Workers import this file, by the path that they take over from here."""
    monkeypatch.syspath_prepend(ROOT)


def prepare(one):
    assigned.append(one)


def told(number):
    return number, assigned, torch.get_num_threads(), os.getpid()


def die(number):
    os.kill(os.getpid(), signal.SIGKILL)


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_each_worker_has_one_thread_and_an_argument_of_its_own():
    with worker_pool(2, PRELOAD, prepare, ["a", "b"]) as pool:
        results = list(run_ahead(pool, told, ((number,) for number in range(50)), 4))
    assert sorted(number for number, *_ in results) == list(range(50))
    assert {threads for _, _, threads, _ in results} == {1}
    arguments = {pid: tuple(own) for _, own, _, pid in results}
    assert set(arguments.values()) <= {("a",), ("b",)}
    assert len(set(arguments.values())) == len(arguments)
    assert not any(map(is_there, arguments))


def test_jobs_are_taken_as_they_are_needed():
    with pytest.raises(KeyboardInterrupt), worker_pool(1, PRELOAD, prepare, ["a"]) as pool:
        numbers = count()
        results = run_ahead(pool, told, ((number,) for number in numbers), 3)
        *_, pid = next(results)
        assert next(numbers) <= 4
        raise KeyboardInterrupt
    assert not is_there(pid)


def test_a_worker_that_is_killed_is_told():
    with (
        pytest.raises(OSError, match="a worker process was ended from outside"),
        worker_pool(1, PRELOAD, prepare, ["a"]) as pool,
    ):
        list(run_ahead(pool, die, [(1,)], 2))
