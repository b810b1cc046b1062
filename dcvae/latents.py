"""Reading back what `dcvae encode --shards` wrote: a dataset of latents for PyTorch."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from dcvae.data.latent_shards import (
    DATASET,
    INDEX,
    ShardError,
    open_shard,
    read_dataset,
    read_index,
    read_tensor,
)


class LatentShards(Dataset[tuple[Tensor, dict[str, Any]]]):
    """Clip by clip the latents [L, D] in float32, a frame a row, and the index's row as a dict.

    `standardise` takes each dim's mean away and divides by its deviation, over all splits; `mean`
    and `std` [D] lead back. Shards are mapped into memory when a clip of theirs is asked for.
    `info` is dataset.json. ShardError names a file that is missing, damaged or of another plan.
    """

    def __init__(
        self, folder: str | Path, split: str | None = None, *, standardise: bool = False
    ) -> None:
        """The clips of a split, or all; ValueError for a split that no clip is in."""
        self.folder, self.standardise = Path(folder), standardise
        self.info = read_dataset(self.folder)
        self.mean, self.std = (
            torch.tensor(self.info[name], dtype=torch.float32) for name in ("mean", "std")
        )
        self.index = read_index(self.folder / INDEX)
        if self.index.num_rows != self.info["clips"]:
            raise ShardError(f"{self.folder / INDEX} does not fit {DATASET}: it has other clips")
        if split is not None:
            import pyarrow.compute as pc

            if split not in (splits := sorted(self.index["split"].unique().to_pylist())):
                raise ValueError(f"{self.folder} has no split {split!r}, but {splits}")
            self.index = self.index.filter(pc.equal(self.index["split"], split))
        self.shards: dict[str, Any] = {}

    def __len__(self) -> int:
        return int(self.index.num_rows)

    def __getitem__(self, number: int) -> tuple[Tensor, dict[str, Any]]:
        if not -len(self) <= number < len(self):
            raise IndexError(f"clip {number} of {len(self)}")
        (record,) = self.index.slice(number % len(self), 1).to_pylist()
        name, path = record["shard"], self.folder / record["shard"]
        if name not in self.shards:
            self.shards[name], _ = open_shard(path, self.info["plan"])
        shape = record["frames"], self.info["dims"]
        frames = read_tensor(self.shards[name], path, record["tensor"], shape)
        if self.standardise:
            frames = (frames - self.mean) / self.std.where(self.std > 0, torch.ones(()))
        return frames, record

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"shards": {}}  # a DataLoader's worker opens its own
