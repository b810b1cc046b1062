import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
import torch

from dcvae.utils.workers import run_ahead, worker_pool

ROOT = Path(__file__).parents[3]
PRELOAD = ("torch",)
PATIENCE = 120  # seconds
assigned: list[object] = []


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Workers import this file, by the path that they take over from here."""
    monkeypatch.syspath_prepend(ROOT)


def prepare(one):
    assigned.append(one)


def report_and_sleep(file):
    Path(file).write_text(str(os.getpid()))
    time.sleep(600)


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
    with worker_pool(2, PRELOAD, prepare, [("a",), ("b",)]) as pool:
        results = list(run_ahead(pool, told, ((number,) for number in range(50)), 4))
    assert sorted(number for number, *_ in results) == list(range(50))
    assert {threads for _, _, threads, _ in results} == {1}
    arguments = {pid: tuple(own) for _, own, _, pid in results}
    assert set(arguments.values()) <= {("a",), ("b",)}
    assert len(set(arguments.values())) == len(arguments)
    assert not any(map(is_there, arguments))


def test_jobs_are_taken_as_they_are_needed():
    with pytest.raises(KeyboardInterrupt), worker_pool(1, PRELOAD, prepare, [("a",)]) as pool:
        numbers = count()
        results = run_ahead(pool, told, ((number,) for number in numbers), 3)
        *_, pid = next(results)
        assert next(numbers) <= 4
        raise KeyboardInterrupt
    assert not is_there(pid)


def test_a_worker_that_is_killed_is_told():
    with (
        pytest.raises(OSError, match="a worker process was ended from outside"),
        worker_pool(1, PRELOAD, prepare, [("a",)]) as pool,
    ):
        list(run_ahead(pool, die, [(1,)], 2))


ENDLESS = """
from pathlib import Path
from tests.dcvae.utils.test_workers import report_and_sleep
from dcvae.utils.workers import worker_pool

if __name__ == "__main__":
    with worker_pool(1, []) as pool:
        pool.submit(report_and_sleep, "started").result()
"""


def test_a_worker_in_the_midst_of_its_work_ends_with_a_parent_that_is_killed(tmp_path):
    (tmp_path / "endless.py").write_text(ENDLESS)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen([sys.executable, "endless.py"], cwd=tmp_path, env=environment)
    started = tmp_path / "started"
    wait_until(lambda: started.exists() and started.read_text())
    parent.kill()
    parent.wait()
    pid = int(started.read_text())
    wait_until(lambda: not is_running(pid))


def is_running(pid: int) -> bool:
    """Whether it is there, and not only waits for somebody to read its exit status."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)
