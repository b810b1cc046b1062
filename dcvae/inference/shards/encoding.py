"""Clips one by one through a codec's encoder, shard by shard, in one process or several.

A clip is never batched with another: what stands beside it, and in which process, would change
its last bits.
"""

import math
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dcvae.audio.streaming import Speech
from dcvae.data.latent_shards import (
    DATASET,
    FORMAT,
    INDEX,
    LABELS,
    Moments,
    ShardError,
    ShardFacts,
    index_table,
    open_shard,
    shard_name,
    write_index,
    write_shard,
)
from dcvae.inference.codec import Codec
from dcvae.inference.shards.plan import Plan
from dcvae.models.pretrained import checkpoint_sha256
from dcvae.utils.files import replace_json
from dcvae.utils.threads import torch_threads
from dcvae.utils.workers import run_ahead, worker_pool

DTYPES = {"float32": torch.float32, "float16": torch.float16}
PRELOAD = (__name__, "soundfile", "soxr")  # slow to import
Job = tuple[int, dict[str, list[Any]]]  # a shard and the plan's rows of it


@dataclass(frozen=True)
class ShardEncoder:
    """Encodes the clips of a shard and writes it; what a worker is sent."""

    model: Path  # a checkpoint folder
    checkpoint: str  # its hash, when it was planned
    precision: torch.dtype  # of the computation
    dtype: str  # of what is kept
    folder: Path
    plan: str

    def load(self, device: str) -> Codec:
        """The codec on a device; ValueError where the checkpoint is another by now."""
        codec = Codec.from_pretrained(self.model, device=device, dtype=self.precision)
        if checkpoint_sha256(self.model) != self.checkpoint:
            raise ValueError(f"the checkpoint {self.model} has changed: start again")
        return codec

    def encode(self, codec: Codec, shard: int, rows: dict[str, list[Any]]) -> ShardFacts:
        """Every clip that can be read goes into the shard; of the others it says why not."""
        frames: dict[str, Tensor] = {}
        clips: dict[str, list[int]] = {}
        failed: dict[str, str] = {}
        for name, clip, encoded in zip(rows["tensor"], rows["id"], rows["path"], strict=True):
            path = Path(os.fsdecode(encoded))
            try:
                latents, speech = encode_file(codec, path)
                frames[name] = checked(latents.to(DTYPES[self.dtype]), path)
            except (ValueError, OSError) as error:
                failed[name] = " ".join(str(error).replace(str(path), clip).split())
            else:
                clips[name] = [len(latents), speech.samples, speech.sample_rate]
        none = torch.zeros(0, codec.model.config["latent_channels"] * codec.model.latent_bins)
        moments = Moments.of(torch.cat([none, *(one.float() for one in frames.values())]))
        facts = ShardFacts(self.plan, clips, failed, moments)
        write_shard(self.folder / shard_name(shard), frames, facts)
        return facts


def encode_file(codec: Codec, path: Path) -> tuple[Tensor, Speech]:
    """An audio file's latents [L, C * H] on the CPU, and the reader, which knows its length.

    They are `codec.encode`'s of its wave at its own rate. ValueError or OSError if unreadable.
    """
    speech = Speech(path)
    blocks = codec.encode_blocks((wave[None] for wave in speech), speech.sample_rate)
    latents = torch.cat([block.cpu() for block in blocks], -1)[0]  # [C, H, L]
    return latents.flatten(0, 1).T.contiguous(), speech


def checked(latents: Tensor, path: Path) -> Tensor:
    """The latents, all finite in the type that they are kept in; else ValueError."""
    if not bool(latents.isfinite().all()):
        raise ValueError(f"{path} has latents that are not finite in {latents.dtype}")
    return latents


def encode_missing(
    encoder: ShardEncoder, plan: Plan, devices: Sequence[str], workers: int
) -> Generator[ShardFacts, None, None]:
    """Write the shards that are not there, or not whole, and give the facts of each.

    Each worker has one thread, and one of the devices in turn.
    """
    missing = [
        shard for shard in range(plan.shards) if not is_written(encoder.folder, plan.id, shard)
    ]
    jobs: Iterator[Job] = ((shard, plan.rows(shard)) for shard in missing)
    workers = min(workers, len(missing))
    remove_parts(encoder.folder)
    try:
        if workers > 1:
            assigned = [(encoder, devices[one % len(devices)]) for one in range(workers)]
            with worker_pool(workers, PRELOAD, prepare, assigned) as pool:
                yield from run_ahead(pool, encode_shard, jobs, workers + 1)
        elif missing:
            codec = encoder.load(devices[0])
            for shard, rows in jobs:
                with torch_threads(1):
                    facts = encoder.encode(codec, shard, rows)
                yield facts
    finally:
        remove_parts(encoder.folder)


_assigned: list[tuple[ShardEncoder, str]] = []  # to this worker: encoder and device


def prepare(encoder: ShardEncoder, device: str) -> None:
    _assigned.append((encoder, device))


@cache
def own_codec() -> Codec:
    """Loaded with the worker's first shard, so that a failure is that shard's."""
    encoder, device = _assigned[0]
    return encoder.load(device)


def encode_shard(shard: int, rows: dict[str, list[Any]]) -> ShardFacts:
    encoder, _ = _assigned[0]
    return encoder.encode(own_codec(), shard, rows)


def is_written(folder: Path, plan: str, shard: int) -> bool:
    """Whether the shard is there and whole."""
    try:
        open_shard(folder / shard_name(shard), plan)
    except ShardError:
        return False
    return True


def remove_parts(folder: Path) -> None:
    """What workers that were killed left half-written."""
    for path in folder.glob(".*.part"):
        with suppress(FileNotFoundError):
            path.unlink()


def finish(folder: Path, plan: Plan, about: dict[str, Any]) -> dict[str, Any]:
    """Write index and dataset.json from the shards alone; `about` is the model. The latter's value.

    ValueError where no clip could be encoded.
    """
    tables, parts, failed, seconds = [], [], [], []
    for shard in range(plan.shards):
        _, facts = open_shard(folder / shard_name(shard), plan.id)
        rows = plan.rows(shard)
        ids = dict(zip(rows["tensor"], rows["id"], strict=True))
        failed += [{"id": ids[name], "reason": why} for name, why in facts.failed.items()]
        tables.append(_index_of(shard_name(shard), rows, facts))
        parts.append(facts.moments)
        seconds.append(facts.seconds)
    if len(failed) == plan.clips.num_rows:
        raise ValueError(
            f"{folder} has no latents: none of {len(failed)} clips could be encoded"
            f" (the first: {failed[0]['reason']})"
        )
    moments = Moments.merged(parts)
    value = {
        "format": FORMAT,
        "plan": plan.id,
        **about,
        "clips": plan.clips.num_rows - len(failed),
        "shards": plan.shards,
        "frames": moments.count,
        "hours": math.fsum(seconds) / 3600,
        "mean": moments.mean,
        "std": moments.std,
        "failed": failed,
    }
    write_index(folder / INDEX, tables)
    replace_json(folder / DATASET, value)
    return value


def _index_of(shard: str, rows: dict[str, list[Any]], facts: ShardFacts) -> Any:
    """The index's rows of a shard's clips."""
    kept = [row for row, name in enumerate(rows["tensor"]) if name in facts.clips]
    columns = {name: [rows[name][row] for row in kept] for name in ("id", "tensor", *LABELS)}
    lengths = [facts.clips[name] for name in columns["tensor"]]
    return index_table(
        columns
        | {
            "shard": [shard] * len(kept),
            "frames": [frames for frames, _, _ in lengths],
            "samples": [samples for _, samples, _ in lengths],
            "sample_rate": [rate for _, _, rate in lengths],
            "seconds": [samples / rate for _, samples, rate in lengths],
        }
    )
