"""Waves kept on disk: computed once, within a limit."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch

from analysis.stores.tensor_cache import TensorCache


def test_waves_are_computed_once_and_come_back_exactly() -> None:
    cache, calls = TensorCache(), []

    def compute() -> list[torch.Tensor]:
        calls.append(1)
        return [torch.arange(5.0), torch.tensor([1.0, float("nan")])]

    first = cache.get("ceiling", ["a", "b"], compute)
    second = cache.get("ceiling", ["a", "b"], compute)
    assert len(calls) == 1
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one, other, equal_nan=True, rtol=0, atol=0)
    cache.get("run", ["a", "b"], compute)
    assert len(calls) == 2
    cache.forget("run")
    cache.get("run", ["a", "b"], compute)
    assert len(calls) == 3
    cache.close()


def test_beyond_the_limit_waves_are_computed_again() -> None:
    cache, calls = TensorCache(limit=1), []

    def compute(name: str) -> list[torch.Tensor]:
        calls.append(name)
        return [torch.zeros(1000)]

    for name in ("a", "b", "a", "b"):
        cache.get("run", [name], lambda name=name: compute(name))
    assert calls == ["a", "b", "b"]
    cache.close()


HOLDER = """
import sys, time, torch
from analysis.stores.tensor_cache import TensorCache
cache = TensorCache()
cache.get("run", ["a"], lambda: [torch.zeros(1000)])
print(cache.folder, flush=True)
time.sleep(60)
"""


def test_the_folder_of_a_killed_process_goes_and_that_of_a_living_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    (tmp_path / "dcvae-analysis-other").mkdir()  # another program's, without a lock
    holders = [
        subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        folders = [Path(one.stdout.readline().strip()) for one in holders if one.stdout]
        assert all(folder.is_dir() for folder in folders)
        holders[0].send_signal(signal.SIGKILL)
        holders[0].wait()
        cache = TensorCache()
        assert not folders[0].exists()
        assert folders[1].is_dir()
        cache.close()
        assert not cache.folder.exists()
        assert sorted(os.listdir(tmp_path)) == sorted([folders[1].name, "dcvae-analysis-other"])
    finally:
        for one in holders:
            one.kill()
            one.wait()


def test_a_full_disk_keeps_nothing_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, wave: np.ndarray) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    cache = TensorCache()
    with monkeypatch.context() as patched:
        patched.setattr(np, "save", full)
        assert len(cache.get("run", ["a", "b"], lambda: [torch.zeros(3)] * 2)) == 2
    assert not list(cache.folder.glob("*.npy"))
    assert len(cache.get("run", ["a"], lambda: [torch.ones(3)])) == 1
    cache.close()
