"""Latents on disk: one safetensors file an utterance, with what it takes to decode it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from dcvae.audio.rates import HIGHEST_RATE, LOWEST_RATE
from dcvae.utils.tensors import write_tensors

SUFFIX = ".safetensors"
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
MOST_SAMPLES = 1 << 40  # more than a WAV file holds
FIELDS = ("sample_rate", "samples", "frame_rate", "model")


class EncodedError(ValueError):
    """A file of latents that is missing, damaged, or of another model."""


@dataclass(frozen=True)
class Encoded:
    """The latents [C * H, L] of one wave: `samples` at `sample_rate` Hz.

    `frame_rate` is of the latents, frames a second; `model` the id of the checkpoint.
    """

    latents: Tensor
    sample_rate: int
    samples: int
    frame_rate: float
    model: str


def write_encoded(path: Path, encoded: Encoded) -> None:
    """Write the file whole or not at all; the fields are strings in safetensors' metadata."""
    metadata = {name: str(getattr(encoded, name)) for name in FIELDS}
    write_tensors(path, {"latents": encoded.latents.float().cpu().contiguous()}, metadata)


def read_encoded(path: Path) -> Encoded:
    """Read back what `write_encoded` wrote; EncodedError names file and fault."""
    if not path.is_file():
        problem = "is a folder, not a file of latents" if path.is_dir() else "is not there"
        raise EncodedError(f"{path} {problem}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            names: Sequence[str] = file.keys()
            latents = file.get_tensor("latents") if "latents" in names else None
    except SafetensorError as error:
        raise EncodedError(f"{path} is damaged or no safetensors file ({error})") from error
    if latents is None or any(name not in metadata for name in FIELDS):
        raise EncodedError(f"{path} holds no latents of `dcvae encode`")
    if latents.dtype not in DTYPES:
        raise EncodedError(f"{path} holds latents in {latents.dtype}, which are not written here")
    latents = latents.float()
    if latents.ndim != 2 or not latents.numel() or not bool(latents.isfinite().all()):
        raise EncodedError(f"{path} holds no finite latents of shape [C * H, L]")
    try:
        sample_rate, samples = int(metadata["sample_rate"]), int(metadata["samples"])
        frame_rate = float(metadata["frame_rate"])
    except ValueError as error:
        raise EncodedError(f"{path} has unusable metadata: {error}") from error
    if not (1 <= samples <= MOST_SAMPLES and LOWEST_RATE <= sample_rate <= HIGHEST_RATE):
        raise EncodedError(f"{path} has unusable metadata: {samples} samples, {sample_rate} Hz")
    return Encoded(latents, sample_rate, samples, frame_rate, metadata["model"])
