import platform
import resource
import subprocess
import sys

import pytest
import torch

from experiments.training import hardware


def test_a_cpu_without_bfloat16_instructions_keeps_float32(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for flags, expected in [
        ({}, "no"),
        ({"avx512_bf16": True}, "bf16"),
        ({"amx_bf16": True}, "bf16"),
    ]:
        monkeypatch.setattr(hardware, "cpu_capabilities", lambda flags=flags: flags)
        assert hardware.choose_precision("auto") == expected


def test_what_is_asked_for_is_taken_or_refused():
    assert hardware.choose_precision("no") == "no"
    with pytest.raises(ValueError, match="auto, bf16, no"):
        hardware.choose_precision("fp8")


def test_cores_are_shared_among_processes(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(6)))
    monkeypatch.delenv("DCVAE_THREADS", raising=False)
    before = torch.get_num_threads()
    try:
        hardware.use_all_cores(processes=2)
        assert torch.get_num_threads() == 3
        monkeypatch.setenv("DCVAE_THREADS", "2")
        hardware.use_all_cores(processes=2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_freed_memory_is_kept():
    """The pages that six tensors of 24 MiB touch anew each time, in a process of its own."""
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("only glibc can be told")
    code = """
import resource, torch
from experiments.training.hardware import keep_freed_memory
keep_freed_memory()
for turn in range(8):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    tensors = [torch.ones(6 << 20) for _ in range(6)]
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    del tensors
print(faults)
"""
    pages = 6 * 24 * 2**20 // resource.getpagesize()
    assert int(subprocess.check_output([sys.executable, "-c", code])) < pages / 100


def test_denormals_are_flushed_where_the_processor_can():
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot flush denormals")
    torch.set_flush_denormal(False)
    small = torch.tensor([1e-30])
    try:
        assert small * 1e-10 != 0
        hardware.flush_denormals()
        assert small * 1e-10 == 0
        assert small * 1e-7 != 0
    finally:
        torch.set_flush_denormal(False)
