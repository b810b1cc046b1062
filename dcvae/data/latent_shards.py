"""A corpus' latents on disk: safetensors shards, their index, and what holds for all of them.

    FOLDER/plan.json                 what is encoded, and how: written before the first shard
    FOLDER/shard-00000.safetensors   the latents [L, C * H] of many clips, a frame a row
    FOLDER/index.parquet             a row a clip: INDEX_COLUMNS
    FOLDER/dataset.json              checkpoint, rates, dims, their statistics, clips that failed

The last two are written once every shard is there. A shard carries its clips' lengths, failures
and statistics: whoever finds it whole finds all that its clips gave.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from dcvae.utils import files
from dcvae.utils.entries import LIST, NUMBER, TEXT, WHOLE, Types, check_entries, require_entries
from dcvae.utils.errors import damage_in
from dcvae.utils.tensors import write_tensors

FORMAT = 1
PLAN, INDEX, DATASET = "plan.json", "index.parquet", "dataset.json"
LABELS = ("text", "speaker", "language", "split")
INDEX_COLUMNS = {  # and pyarrow's names of their types
    "id": "string",  # as the manifest writes the path
    "shard": "string",  # a file's name
    "tensor": "string",  # in that file
    "frames": "int32",
    "samples": "int64",  # of the audio file, at
    "sample_rate": "int32",
    "seconds": "float64",
    **dict.fromkeys(LABELS, "string"),
}
DATASET_TYPES: Types = {  # of what is read again
    "format": WHOLE,
    "plan": TEXT,
    "dims": WHOLE,
    "clips": WHOLE,
    "mean": LIST,
    "mean[]": NUMBER,
    "std": LIST,
    "std[]": NUMBER,
}
METADATA = "dcvae"  # one entry: safetensors keeps several in no fixed order


class ShardError(ValueError):
    """A file of latents that is missing, damaged, or not of this folder."""


@dataclass(frozen=True)
class Moments:
    """Of frames [N, D], dim by dim in double precision: mean, and sum of squared deviations."""

    count: int
    mean: list[float]
    squares: list[float]

    @classmethod
    def of(cls, frames: Tensor) -> Self:
        """Of frames [N, D]; zeros where there are none."""
        if not len(frames):
            return cls(0, [0.0] * frames.shape[1], [0.0] * frames.shape[1])
        values = np.ascontiguousarray(frames.double().numpy().T)  # numpy adds pairwise along rows
        mean = values.mean(1)
        squares = ((values - mean[:, None]) ** 2).sum(1)
        return cls(len(frames), mean.tolist(), squares.tolist())

    @classmethod
    def merged(cls, parts: Sequence[Self]) -> Self:
        """Of all frames together, by exactly rounded sums, which no order changes."""
        dims, count = range(len(parts[0].mean)), sum(part.count for part in parts)
        mean = [math.fsum(part.count * part.mean[d] for part in parts) / count for d in dims]
        squares = [
            math.fsum(
                [part.squares[d] for part in parts]
                + [part.count * (part.mean[d] - mean[d]) ** 2 for part in parts]
            )
            for d in dims
        ]
        return cls(count, mean, squares)

    @property
    def std(self) -> list[float]:
        """The standard deviation of a population."""
        return [math.sqrt(square / self.count) for square in self.squares]


@dataclass(frozen=True)
class ShardFacts:
    """What a shard says of itself: its plan, and by tensor the clips encoded and those not."""

    plan: str
    clips: dict[str, list[int]]  # frames, samples, Hz
    failed: dict[str, str]  # why
    moments: Moments

    @property
    def seconds(self) -> float:
        """Of speech."""
        return math.fsum(samples / rate for _, samples, rate in self.clips.values())


def shard_name(number: int) -> str:
    return f"shard-{number:05d}.safetensors"


def write_shard(path: Path, frames: Mapping[str, Tensor], facts: ShardFacts) -> None:
    """Write latents [L, D] by name, whole or not at all; equal ones are equal bytes."""
    write_tensors(path, frames, {METADATA: json.dumps(asdict(facts))})


def open_shard(path: Path, plan: str) -> tuple[Any, ShardFacts]:
    """The shard as safetensors maps it, and its facts; ShardError names file and fault."""
    if not path.is_file():
        raise ShardError(f"{path} is not there")
    try:
        shard = safe_open(path, framework="pt")
        facts = json.loads((shard.metadata() or {})[METADATA])
        found = ShardFacts(**facts | {"moments": Moments(**facts["moments"])})
    except SafetensorError as error:
        raise ShardError(f"{path} is damaged or no safetensors file ({error})") from error
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ShardError(f"{path} is no shard of `dcvae encode --shards`") from error
    if found.plan != plan:
        raise ShardError(f"{path} belongs to plan {found.plan}, and its folder to {plan}")
    return shard, found


def read_tensor(shard: Any, path: Path, name: str, shape: Sequence[int]) -> Tensor:
    """A clip's latents [L, D] out of an open shard, its own copy; ShardError if it has no such."""
    try:
        latents: Tensor = shard.get_tensor(name)
    except SafetensorError as error:
        raise ShardError(f"{path} does not fit its index: it has no tensor {name}") from error
    if list(latents.shape) != list(shape):
        raise ShardError(
            f"{path} does not fit its index: tensor {name} is {list(latents.shape)},"
            f" not {list(shape)}"
        )
    return latents.to(torch.float32, copy=True)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; ShardError for a file that is missing or holds none."""
    try:
        value = files.read_json(path)
    except FileNotFoundError:
        raise ShardError(f"{path} is not there: no finished `dcvae encode --shards`") from None
    except ValueError as error:
        raise ShardError(str(error)) from error
    if not isinstance(value, dict):
        raise ShardError(f"{path} is damaged: it holds no object")
    return value


def read_dataset(folder: Path) -> dict[str, Any]:
    """What dataset.json says; ShardError where it is missing, damaged or of another format."""
    value = read_json(folder / DATASET)
    if value.get("format") != FORMAT:
        raise ShardError(f"{folder / DATASET} is not of format {FORMAT}")
    with damage_in(folder / DATASET, ShardError):
        check_entries(value, DATASET_TYPES)
        require_entries(value, "plan", "dims", "clips", "mean", "std")
        for name in ("mean", "std"):
            if len(value[name]) != value["dims"]:
                raise ValueError(f"its {name} has not {value['dims']} dims")
    return value


def index_table(columns: Mapping[str, Sequence[Any]]) -> Any:
    """The rows of some clips as pyarrow's table."""
    import pyarrow as pa

    types = [(name, pa.type_for_alias(kind)) for name, kind in INDEX_COLUMNS.items()]
    return pa.table(dict(columns), schema=pa.schema(types))


def write_index(path: Path, tables: Iterable[Any]) -> None:
    """Write the tables as one Parquet file, whole or not at all; equal ones are equal bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with files.replacing(path) as temporary:
        pq.write_table(pa.concat_tables(tables), temporary)


def read_index(path: Path) -> Any:
    """The index as pyarrow's table; ShardError for a file that is missing or damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise ShardError(f"{path} is not there")
    try:
        return pq.read_table(path, columns=list(INDEX_COLUMNS))
    except (pa.ArrowException, OSError) as error:
        raise ShardError(f"{path} is damaged: {error}") from error
