"""What a step asks of a device, and what the device could give."""

import resource
import time
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

Step = Callable[[Tensor], dict[str, Tensor]]


def peak_memory(step: Step, wave: Tensor) -> str:
    """Of one more step on a GPU, which tells them apart; else of the process so far."""
    if wave.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(wave.device)
        step(wave)
        return f"{torch.cuda.max_memory_allocated(wave.device) / 2**30:.2f} GiB"
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB"


def model_flops_utilization(step: Step, wave: Tensor, seconds: float) -> str:
    """FLOP/s of a step, and its MFU: their share of what a bfloat16 matrix product reaches here."""
    with FlopCounterMode(display=False) as counter:
        step(wave)
    rate = counter.get_total_flops() / seconds
    return f"{rate / 1e12:.3g} T, {rate / matrix_rate(wave.device):.0%}"


@cache
def matrix_rate(device: torch.device) -> float:
    """FLOP/s of a bfloat16 matrix product, measured once a process."""
    size, repeats = (8192, 20) if device.type == "cuda" else (512, 8)
    matrix = torch.randn(size, size, device=device, dtype=torch.bfloat16)
    for _ in range(3):
        matrix @ matrix
    synchronise(device)
    began = time.perf_counter()
    for _ in range(repeats):
        matrix @ matrix
    synchronise(device)
    return 2 * size**3 * repeats / (time.perf_counter() - began)


def synchronise(device: torch.device) -> None:
    """Wait for what was started on a GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
