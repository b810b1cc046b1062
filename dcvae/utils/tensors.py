"""Tensors in safetensors files, written whole or not at all."""

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

from dcvae.utils.files import replacing

SIZE = 8  # bytes that hold the header's length, of which the header is a multiple


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write contiguous tensors of the CPU by name; OSError names the file.

    Equal tensors make equal bytes: the library itself orders the metadata by chance. Through
    memory, for its own files can be read by their owner alone.
    """
    written = save(dict(tensors), dict(metadata))
    start = SIZE + int.from_bytes(written[:SIZE], "little")
    header = json.loads(written[SIZE:start])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % SIZE)
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(len(text).to_bytes(SIZE, "little"))
        file.write(text)
        file.write(written[start:])
