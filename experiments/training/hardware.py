"""What the hardware at hand gains from: bfloat16, all its cores, memory that is kept."""

import ctypes
import os
import platform
from typing import Any, Literal, get_args

import torch

from experiments.limits import whole_variable

THREADS_VARIABLE = "DCVAE_THREADS"
Precision = Literal["auto", "bf16", "no"]
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # mallopt's parameters, from malloc.h


def choose_precision(precision: str) -> str:
    """Resolve "auto" to "bf16" where a GPU or a CPU multiplies bfloat16 itself, else "no".

    A CPU without such instructions converts to float32 and back, which is slower than float32.
    """
    if precision not in get_args(Precision):
        raise ValueError(f"precision must be one of {', '.join(get_args(Precision))}: {precision}")
    if precision != "auto":
        return precision
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "no"
    cpu = cpu_capabilities()
    return "bf16" if cpu.get("avx512_bf16") or cpu.get("amx_bf16") or cpu.get("bf16") else "no"


def prepare_process(processes: int) -> None:
    """Make this one of so many training processes of the machine: its cores, memory, arithmetic."""
    use_all_cores(processes)
    keep_freed_memory()
    flush_denormals()


def use_all_cores(processes: int) -> None:
    """Share the cores among this machine's processes: `accelerate launch` leaves one to each.

    DCVAE_THREADS says otherwise, where something else is to have the cores.
    """
    cores = max(1, len(os.sched_getaffinity(0)) // processes)
    torch.set_num_threads(whole_variable(THREADS_VARIABLE, 1) or cores)


def keep_freed_memory(keep: bool = True) -> None:
    """Let glibc keep the memory that tensors free; other C libraries are left alone.

    Else it gives back what is more than 64 MiB at the end of its heap, and a step on a CPU spends
    up to a quarter of its time on faulting that in again. Blocks of more than 32 MiB are the
    system's either way: that is where glibc's own threshold settles.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(MMAP_THRESHOLD, 2**25)
        libc.mallopt(TRIM_THRESHOLD, 2**31 - 1 if keep else 2**26)


def flush_denormals() -> None:
    """Let the processor take numbers below 1e-38 as zero; where it cannot, nothing happens.

    Some processors need a hundred cycles for each, and a sigmoid far below zero gives many. Threads
    that torch starts later do the same.
    """
    torch.set_flush_denormal(True)


def describe_device(device: torch.device) -> str:
    """The name of the GPU, or of the processor with the number of threads torch uses."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    name = cpu_capabilities().get("cpu_name") or platform.processor() or platform.machine()
    return f"{name}, {torch.get_num_threads()} threads"


def cpu_capabilities() -> dict[str, Any]:
    """What torch knows of the processor: nothing before torch 2.12 or so."""
    return getattr(torch.cpu, "get_capabilities", dict)()
