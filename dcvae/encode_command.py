"""The command `dcvae encode`: a file of latents for each of audio, or shards of them all."""

import os
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from dcvae.audio.mel import SAMPLE_RATE
from dcvae.commands import PRECISIONS, CodecOptions, find_device, interruptible, transcode
from dcvae.data.latent_shards import FORMAT
from dcvae.inference.shards.encoding import ShardEncoder, encode_missing, finish
from dcvae.inference.shards.plan import Plan
from dcvae.inference.transcode.operations import Encode
from dcvae.models.autoencoder import SpeechAutoencoder
from dcvae.models.pretrained import checkpoint_sha256
from dcvae.utils.locks import folder_lock

CLIPS_PER_SHARD = 1000  # an hour or two of speech, some 15 MB: what a worker that is killed loses


def encode(*, out: Path | None, shards: Path | None, **options: Any) -> None:
    """Encode files into a file each, below `out`, or all into the folder `shards`."""
    own = {name: options.pop(name) for name in ("workers", "dtype", "clips_per_shard")}
    chosen = {name: value for name, value in own.items() if value is not None}
    if shards is not None:
        encode_shards(shards=shards, **chosen, **options)
        return
    if chosen:
        raise ValueError(f"--{next(iter(chosen)).replace('_', '-')} goes with --shards")
    assert out is not None  # the parser wants one of the two
    transcode(Encode, out=out, **options)


def encode_shards(
    *,
    sources: Sequence[Path],
    shards: Path,
    overwrite: bool,
    workers: int | None = None,
    dtype: str = "float32",
    clips_per_shard: int = CLIPS_PER_SHARD,
    **options: Any,
) -> None:
    """Encode all clips of the sources into a folder: see dcvae.data.latent_shards.

    `options` are CodecOptions' fields; `workers` are processes, by default one a GPU or one a
    core. Clips that fail are told one by one: exit status 2.
    """
    if clips_per_shard < 1 or (workers is not None and workers < 1):
        raise ValueError("--workers and --clips-per-shard are 1 or more")
    asked = CodecOptions(**options)
    devices = find_devices(asked.device)
    on_gpu = devices[0].startswith("cuda")
    workers = workers or (len(devices) if on_gpu else len(os.sched_getaffinity(0)))
    facts = model_facts(asked.model)
    making = {
        "checkpoint": facts["checkpoint"],
        "device": devices[0].split(":")[0],
        "precision": asked.precision,
        "dtype": dtype,
    }
    settings = {"format": FORMAT, **making, "clips_per_shard": clips_per_shard}
    plan, precision = Plan.of(sources, settings), PRECISIONS[asked.precision]
    if shards.exists() and not shards.is_dir():
        raise ValueError(f"{shards} is a file, and a folder is to be written to")
    began, seconds = time.perf_counter(), 0.0
    with folder_lock(shards), interruptible():
        plan.begin(shards, overwrite)
        encoder = ShardEncoder(asked.model, facts["checkpoint"], precision, dtype, shards, plan.id)
        with (
            tqdm(total=plan.clips.num_rows, unit="clip", disable=None) as bar,
            closing(encode_missing(encoder, plan, devices, workers)) as written,
        ):
            for done in written:
                seconds += done.seconds
                bar.update(len(done.clips) + len(done.failed))
        dataset = finish(shards, plan, facts | making)
    for failure in dataset["failed"]:
        print(f"dcvae: {failure['id']} failed: {failure['reason']}", file=sys.stderr)
    print(f"{shards}: {shards_summary(dataset, seconds, time.perf_counter() - began)}")
    if dataset["failed"]:
        raise SystemExit(2)


def find_devices(name: str | None) -> list[str]:
    """The device of that name; by default all GPUs, or the CPU."""
    if name is None and torch.cuda.is_available():
        return [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    return [str(find_device(name))]


def model_facts(folder: Path) -> dict[str, Any]:
    """What dataset.json says of the model; ValueError for no checkpoint folder."""
    model = SpeechAutoencoder.from_pretrained(folder)
    channels, bins = model.config["latent_channels"], model.latent_bins
    return {
        "checkpoint": checkpoint_sha256(folder),
        "sample_rate": SAMPLE_RATE,
        "compression": model.compression,
        "frames_per_second": model.latent_frames_per_second,
        "dims": channels * bins,
        "latent_channels": channels,
        "latent_bins": bins,
    }


def shards_summary(dataset: dict[str, Any], seconds: float, took: float) -> str:
    """What is there, how fast this command did its share, and what failed."""
    parts = [f"{dataset['clips']} clips, {dataset['hours']:.3g} h of speech"]
    if seconds:
        parts.append(
            f"{seconds / 3600:.3g} h encoded in {took:.1f} s, {seconds / took:.0f} h an hour"
        )
    else:
        parts.append("all of it encoded before")
    if dataset["failed"]:
        parts.append(f"{len(dataset['failed'])} failed")
    return "; ".join(parts)
