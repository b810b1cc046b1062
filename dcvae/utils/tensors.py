"""Tensors in safetensors files, written whole or not at all."""

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

from dcvae.utils.files import replacing


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write contiguous tensors of the CPU by name; OSError names the file.

    Through memory, for safetensors' own files can be read by their owner alone.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(save(dict(tensors), dict(metadata)))
