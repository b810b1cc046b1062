"""What an audio file may be, before anything is made of it: a file can say whatever it likes."""

import os
from pathlib import Path

import torch
from torch import Tensor

from dcvae.audio.rates import HIGHEST_RATE, LOWEST_RATE

PathLike = str | os.PathLike[str]
LOUDEST = 1e10  # of a sample: integers of 32 bits, and a power that float32 can hold


class AudioError(ValueError):
    """An audio file that is missing, empty, corrupt or silent where it must not be."""


def existing_file(path: PathLike) -> Path:
    """The path, once there is a file at it that is not empty; else AudioError."""
    file = Path(path)
    if file.is_dir():
        raise AudioError(f"{file} is a folder, not an audio file")
    if not file.exists():
        raise AudioError(f"{file}: there is no such audio file")
    if file.stat().st_size == 0:
        raise AudioError(f"{file} is empty (0 bytes)")
    return file


def check_rate(path: PathLike, rate: int) -> None:
    """AudioError for a sample rate that no recorder has: seconds and memory follow from it."""
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise AudioError(
            f"{path} says that it has {rate} samples a second, and speech has {LOWEST_RATE} to"
            f" {HIGHEST_RATE}"
        )


def check_samples(path: PathLike, samples: Tensor) -> None:
    """AudioError for samples that are no finite numbers, or too large for their power to be one."""
    if not bool(torch.isfinite(samples).all()):
        raise AudioError(f"{path} holds samples that are not finite numbers")
    if samples.numel() and float(samples.abs().max()) > LOUDEST:
        raise AudioError(f"{path} holds samples beyond {LOUDEST:g}, where 1 is full scale")
