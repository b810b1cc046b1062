"""From a manifest to batches of training crops and fixed validation waves."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, Sampler

from dcvae.audio.io import read_audio
from dcvae.audio.mel import HOP, SAMPLE_RATE
from dcvae.data.manifest import Clip, Manifest, fixed_hash, read_manifest, select_clips
from experiments.data.cache import AudioCache, open_cache
from experiments.data.streams import STREAM, streamed_loader
from experiments.training.preemption import leave_signals_alone

BLOCK = 65536  # places of an epoch's order that become Python's numbers at once


class Clips(Dataset[Tensor]):
    """One crop [T] float32 at 22,050 Hz a clip, T = segment_frames * HOP.

    An item is (epoch, index): where the crop lies follows from them and the seed alone, so it
    depends neither on the worker, nor on the process, nor on whether training was resumed. Only
    the crop is kept of what is decoded. A clip shorter than T ends in zeros. A file that cannot
    be decoded raises AudioError with its name. A cache of the same clips gives them to 16 bits.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        segment_frames: int,
        seed: int,
        cache: AudioCache | None = None,
    ) -> None:
        self.clips = clips
        self.cache = cache
        self.segment_samples = segment_frames * HOP
        self.seed = seed

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, item: tuple[int, int]) -> Tensor:
        epoch, index = item
        if self.cache is not None:
            first, stop = self.place(epoch, index, self.cache.duration(index))
            wave = self.cache.read(index, first, stop)
        else:
            clip = self.clips[index]
            first, stop = self.place(epoch, index, int(clip.duration * SAMPLE_RATE))
            wave = read_audio(clip.path, start=first / SAMPLE_RATE, stop=stop / SAMPLE_RATE)
        return functional.pad(wave, (0, self.segment_samples - len(wave)))

    def place(self, epoch: int, index: int, samples: int) -> tuple[int, int]:
        """Where the crop of a clip of so many samples begins and ends."""
        spare = max(samples - self.segment_samples, 0)
        first = fixed_hash(f"{self.seed}/{epoch}/{index}") % (spare + 1)
        return first, first + self.segment_samples


class Shuffle(Sampler[tuple[int, int]]):
    """(epoch, index) of every clip once, in an order that follows from (seed, epoch).

    The epoch travels with the index because persistent workers hold a copy of the data set that
    hears nothing of later epochs. Every process draws the same order, which accelerate's prepare
    then deals out. Its loader calls set_epoch at the start of each pass: with 0, 1, 2, ... or,
    on resuming, with what the trainer gave to the loader's own set_epoch.
    """

    def __init__(self, size: int, seed: int) -> None:
        self.size = size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next pass."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[tuple[int, int]]:
        epoch = self.epoch
        generator = torch.Generator()
        generator.manual_seed(fixed_hash(f"{self.seed}/{epoch}") >> 1)
        for some in torch.randperm(self.size, generator=generator).split(BLOCK):
            for index in some.tolist():
                yield epoch, index


def training_clips(manifest: str | os.PathLike[str], min_seconds: float) -> Manifest:
    """The clips of the train split that are long enough."""
    return read_manifest(manifest).where("train", min_seconds)


def training_loader(
    manifest: str | os.PathLike[str],
    segment_frames: int,
    batch_size: int,
    *,
    num_workers: int = 0,
    seed: int = 0,
    min_seconds: float = 1.0,
    cache: str | os.PathLike[str] | None = None,
) -> DataLoader[Tensor]:
    """Shuffled batches [B, T] of crops of the manifest's train split; the last short one is left.

    Clips under `min_seconds` are left out. The same seed gives the same batches bit for bit with
    any number of workers (each of which torch limits to one thread). To resume after n batches
    of an epoch, on the loader that accelerate prepared: loader.set_epoch(epoch) first, then
    iterate over skip_first_batches(loader, n).
    With a folder as `cache` the clips are decoded into it once: see experiments.data.cache.
    Where the training split streams, see experiments.data.streams: the batches are those of the
    same number of workers and processes. ValueError when the clips do not fill one batch.
    """
    if (described := Path(manifest).with_name(STREAM)).is_file():
        if cache is not None:
            raise ValueError("loader.cache is of no use to data=hub, which streams: leave it null")
        return streamed_loader(
            described,
            segment_frames,
            batch_size,
            num_workers=num_workers,
            seed=seed,
            min_seconds=min_seconds,
        )
    clips = training_clips(manifest, min_seconds)
    if len(clips) < batch_size:
        raise ValueError(
            f"{manifest} has {len(clips)} training clips of {min_seconds:g} s or more, too few for"
            f" one batch of {batch_size}: lower the batch size or add clips"
        )
    speech = None if cache is None else open_cache(Path(cache), Path(manifest), clips)
    return DataLoader(
        Clips(clips, segment_frames, seed, speech),
        batch_size=batch_size,
        sampler=Shuffle(len(clips), seed),
        num_workers=num_workers,
        drop_last=True,
        persistent_workers=num_workers > 0,
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=leave_signals_alone,
        generator=torch.Generator().manual_seed(seed),  # leaves the global one alone
    )


def stop_workers(loader: DataLoader[Tensor]) -> None:
    """End the workers of a loader, prepared by accelerate or not, which is not to be used again.

    At its exit the interpreter asks those that are left by SIGTERM and waits for them; but they
    leave signals alone.
    """
    iterator = getattr(getattr(loader, "base_dataloader", loader), "_iterator", None)
    if iterator is not None:
        iterator._shutdown_workers()
        for worker in iterator._workers:
            worker.kill()  # nothing where it has ended


def validation_waves(
    manifest: str | os.PathLike[str],
    count: int,
    min_seconds: float = 1.0,
    max_seconds: float | None = None,
) -> list[tuple[Clip, Tensor]]:
    """The fixed validation clips and their waves [T] at 22,050 Hz, every speaker among them.

    Whole clips, or their middle `max_seconds` where they are longer. ManifestError when the
    validation split holds none, AudioError for a file that cannot be decoded.
    """
    selected = select_clips(read_manifest(manifest), "validation", count, min_seconds)
    waves = []
    for clip in selected:
        start, stop = 0.0, None
        if max_seconds is not None and clip.duration > max_seconds:
            start = (clip.duration - max_seconds) / 2
            stop = start + max_seconds
        waves.append((clip, read_audio(clip.path, start=start, stop=stop)))
    return waves
