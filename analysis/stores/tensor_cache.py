"""Latents, mels and waves on disk while the analysis runs: several evaluators ask for the same."""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dcvae.utils.locks import NAME, folder_lock, is_locked

PREFIX = "dcvae-analysis-"  # of the folders' names
LIMIT = 4 << 30  # bytes on disk; what would exceed them is computed again when it is asked for


class TensorCache:
    """Tensors by kind (the ceiling, or a run's latents) and clip, in a temporary folder."""

    def __init__(self, limit: int = LIMIT) -> None:
        remove_abandoned()
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        self.lock = folder_lock(self.folder)
        self.lock.__enter__()
        self.limit = limit
        self.used = 0
        self.count = 0
        self.known: dict[tuple[str, str], Path] = {}

    def get(
        self, kind: str, names: Sequence[str], compute: Callable[[], list[Tensor]]
    ) -> list[Tensor]:
        """Those of these clips: read where all are known, else computed and kept."""
        if all((kind, name) in self.known for name in names):
            return [torch.from_numpy(np.load(self.known[kind, name])) for name in names]
        tensors = compute()
        for name, tensor in zip(names, tensors, strict=True):
            if (kind, name) not in self.known and self.used < self.limit:
                self.keep((kind, name), tensor)
        return tensors

    def keep(self, key: tuple[str, str], tensor: Tensor) -> None:
        """Write one; where the disk is full it is not kept, nor is any other."""
        self.count += 1
        path = self.folder / f"{self.count}.npy"
        try:
            np.save(path, tensor.contiguous().numpy())
        except OSError:
            path.unlink(missing_ok=True)
            self.limit = 0
            return
        self.known[key] = path
        self.used += path.stat().st_size

    def forget(self, kind: str) -> None:
        """Give back the room of a kind, or of all that begin with its name and a space."""
        for key in [key for key in self.known if f"{key[0]} ".startswith(f"{kind} ")]:
            path = self.known.pop(key)
            self.used -= path.stat().st_size
            path.unlink()

    def close(self) -> None:
        self.known.clear()
        self.lock.__exit__(None, None, None)
        shutil.rmtree(self.folder, ignore_errors=True)


def remove_abandoned() -> None:
    """Remove the folders of processes that were killed: their lock is free."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if folder.is_dir() and not folder.is_symlink() and (folder / NAME).is_file():
            with suppress(OSError):  # another user's
                if not is_locked(folder):
                    shutil.rmtree(folder, ignore_errors=True)
