import pytest
import torch

from experiments import hardware


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
