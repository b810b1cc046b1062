"""The share of a step's time that training spends waiting for the next batch of its loader."""

import time
from pathlib import Path

from torch import Tensor
from torch.utils.data import DataLoader

from dcvae.data.manifest import write_manifest
from experiments.benchmark.device import synchronise
from experiments.benchmark.parts import configuration
from experiments.benchmark.table import format_quartiles
from experiments.data.clips import training_clips, training_loader
from experiments.training.trainer import Trainer


def long_loader(
    size: str, manifest: Path, batch: int, frames: int, steps: int, folder: Path
) -> DataLoader[Tensor]:
    """The loader that training has, on the manifest's training clips again and again.

    So often that all steps and what comes before them lie in one epoch: the manifest that says so
    is written into `folder`. Workers and seconds of a clip are those of the size.
    """
    settings = configuration(size)["loader"]
    clips = training_clips(manifest, settings["min_seconds"])
    if not clips:
        raise ValueError(f"{manifest} has no training clip of {settings['min_seconds']:g} s")
    batches = steps + 2 * settings["num_workers"] + 3  # a worker is two ahead, accelerate is one
    times = -(-batch * batches // len(clips))
    write_manifest(folder / "manifest.csv", list(clips) * times)
    return training_loader(
        folder / "manifest.csv",
        **{**settings, "segment_frames": frames, "batch_size": batch},
    )


def share_of_waiting(trainer: Trainer, steps: int) -> str:
    """In percent, step by step, of what the step and the wait for its batch take together."""
    shares, batches = [], trainer.batches()
    loader = trainer.loader
    for _ in range(1 + loader.num_workers * (loader.prefetch_factor or 0)):
        next(batches)  # no stock that was laid in while the workers started
    for _ in range(steps):
        began = time.perf_counter()
        wave = next(batches)
        waited = time.perf_counter() - began
        trainer.train_step(wave, step=0)
        synchronise(wave.device)
        shares.append(100 * waited / (time.perf_counter() - began))
    return (
        f"{format_quartiles(shares, 1)}% of the time is spent waiting for the loader's next batch."
    )
