"""Vocoded waves on disk for as long as the analysis runs: several evaluators ask for the same."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

LIMIT = 4 << 30  # bytes on disk; what would exceed them is computed again when it is asked for


class WaveCache:
    """Waves by kind (the ceiling, or a run's name) and clip, in a temporary folder."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="dcvae-analysis-")
        self.limit = limit
        self.used = 0
        self.count = 0
        self.known: dict[tuple[str, str], Path] = {}

    def get(
        self, kind: str, names: Sequence[str], compute: Callable[[], list[Tensor]]
    ) -> list[Tensor]:
        """The waves [T] of these clips: read where all are known, else computed and kept."""
        if all((kind, name) in self.known for name in names):
            return [torch.from_numpy(np.load(self.known[kind, name])) for name in names]
        waves = compute()
        for name, wave in zip(names, waves, strict=True):
            if (kind, name) not in self.known and self.used < self.limit:
                self.count += 1
                path = Path(self.folder.name) / f"{self.count}.npy"
                np.save(path, wave.contiguous().numpy())
                self.known[kind, name] = path
                self.used += path.stat().st_size
        return waves

    def forget(self, kind: str) -> None:
        """Give back the room of one kind."""
        for key in [key for key in self.known if key[0] == kind]:
            path = self.known.pop(key)
            self.used -= path.stat().st_size
            path.unlink()

    def close(self) -> None:
        self.known.clear()
        self.folder.cleanup()
