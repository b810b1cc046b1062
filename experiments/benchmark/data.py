"""What loading costs: python -m experiments.benchmark data

Crops a second out of the workers, beside the published way of getting them.

The published way decodes and resamples the whole file, cuts a random crop out of it and computes
its log-mel, all in the worker, with torchaudio where that is installed and with this suite's own
reader, which resamples faster, where it is not. Here the crop alone is decoded, or comes from the
cache, and its mel is the trainer's, on its device. All go through a DataLoader with the same
workers, and take turns.
"""

import argparse
import importlib
import importlib.util
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from dcvae.audio.io import read_audio
from dcvae.audio.mel import HOP, SAMPLE_RATE, LogMel
from dcvae.data.manifest import Clip, Manifest, fixed_hash, read_manifest, write_manifest
from experiments.benchmark.table import print_table
from experiments.data.cache import open_cache
from experiments.data.clips import Clips, leave_signals_alone

WAYS = ["decoded", "decoded, mel", "cached", "cached, mel"]  # mel: in this process, as waves come
COLUMNS = ["corpus", "published crops/s", *(part for way in WAYS for part in (way, "times", "±"))]
LONG = 600  # seconds of a long file
CONTAINERS = {"wav": "PCM_16", "flac": "PCM_16", "ogg": "VORBIS", "mp3": "MPEG_LAYER_III"}


class PublishedClips(Dataset[Tensor]):
    """The reference: log-mel [M, F] of a random crop of a clip that is decoded as a whole."""

    def __init__(self, clips: Sequence[Clip], segment_frames: int) -> None:
        self.clips, self.samples, self.mel = clips, segment_frames * HOP, LogMel()
        self.read = read_published if has_torchaudio() else read_audio

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> Tensor:
        wave = self.read(self.clips[index].path)
        first = int(torch.randint(max(len(wave) - self.samples, 0) + 1, ()))
        crop = wave[first : first + self.samples]
        crop = torch.nn.functional.pad(crop, (0, self.samples - len(crop)))
        return self.mel(crop[None])[0]


def has_torchaudio() -> bool:
    """Whether the published way's own reader can be had here."""
    return importlib.util.find_spec("torchaudio") is not None


def read_published(path: Path) -> Tensor:
    """A whole file as mono wave [T], resampled by torchaudio's windowed sinc."""
    torchaudio = importlib.import_module("torchaudio")
    wave, rate = torchaudio.load(path)
    return torchaudio.functional.resample(wave, rate, SAMPLE_RATE).mean(0)


@dataclass(frozen=True)
class Setting:
    """How crops are asked for: frames a crop, crops a batch, workers, and turns of each way."""

    frames: int = 256
    batch: int = 8
    workers: int = 1
    turns: int = 5

    def loader(self, dataset: Dataset[Tensor], items: list) -> DataLoader[Tensor]:
        return DataLoader(
            dataset,
            batch_size=self.batch,
            sampler=items,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            worker_init_fn=leave_signals_alone,
        )


def rows(
    manifest: Path | None, setting: Setting, count: int = 600, long_crops: int = 40
) -> Iterator[list[str]]:
    """Table rows of COLUMNS: for `count` clips of the manifest, which may be None, then for
    ten-minute files in several containers, made of those clips or of the tests' own.
    """
    speech = read_manifest(manifest or Path(__file__).parents[2] / "tests" / "data/manifest.csv")
    clips = evenly_spaced(speech, count)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if manifest is not None:
            write_manifest(folder / "clips.csv", clips)
            yield [
                f"{len(clips)} clips",
                *compare(folder / "clips.csv", range(len(clips)), setting),
            ]
        wave = joined(clips)
        for suffix, kind in CONTAINERS.items():
            long = write_long(folder, wave, suffix, kind)
            yield [f"ten minutes, {suffix}", *compare(long, [0] * long_crops, setting)]


def evenly_spaced(clips: Manifest, count: int) -> list[Clip]:
    """So many clips of a second or more, drawn by the hash of their names."""
    long = [clip for clip in clips if clip.duration >= 1]
    return sorted(long, key=lambda clip: fixed_hash(clip.key))[:count]


def compare(manifest: Path, indices: Sequence[int], setting: Setting) -> list[str]:
    """The published way's crops a second; then of each of WAYS its crops a second, how many times
    as fast it is (the median of the turns), and half the distance between the extremes.
    """
    clips = read_manifest(manifest)
    cache = open_cache(manifest.parent, manifest, clips)
    items = [(0, index) for index in indices]
    decoded = setting.loader(Clips(clips, setting.frames, seed=0), items)
    cached = setting.loader(Clips(clips, setting.frames, 0, cache), items)
    published = setting.loader(PublishedClips(clips, setting.frames), list(indices))
    for loader in (decoded, cached, published):
        next(iter(loader))  # its workers start
    mel = LogMel()
    times: list[list[float]] = []
    for turn in range(setting.turns):
        asked = [(turn, index) for index in indices]
        items[:] = asked  # other crops of the same clips
        ways = [seconds(loader, after) for loader in (decoded, cached) for after in (None, mel)]
        times.append([seconds(published), *ways])
    reference, *columns = zip(*times, strict=True)
    cells = [f"{len(indices) / statistics.median(reference):.1f}"]
    for column in columns:
        ratios = [slow / fast for slow, fast in zip(reference, column, strict=True)]
        speed, times_as_fast = len(indices) / statistics.median(column), statistics.median(ratios)
        cells += [f"{speed:.1f}", f"{times_as_fast:.1f}", f"{(max(ratios) - min(ratios)) / 2:.1f}"]
    return cells


def seconds(loader: DataLoader[Tensor], mel: LogMel | None = None) -> float:
    """One pass over a loader, with the log-mel of its waves where that is given."""
    began = time.perf_counter()
    for batch in loader:
        if mel is not None:
            mel(batch)
    return time.perf_counter() - began


def joined(clips: Sequence[Clip]) -> Tensor:
    """Ten minutes of speech [T] out of short clips, again and again where they are few."""
    waves: list[Tensor] = []
    while sum(map(len, waves)) < LONG * SAMPLE_RATE:
        waves.append(read_audio(clips[len(waves) % len(clips)].path))
    return torch.cat(waves)[: LONG * SAMPLE_RATE]


def write_long(folder: Path, wave: Tensor, suffix: str, kind: str) -> Path:
    """A wave [T] in a container, and the manifest of that one file."""
    path = folder / f"long.{suffix}"
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 1, kind) as file:
        for block in wave.split(SAMPLE_RATE):  # libvorbis fails on all at once
            file.write(block.numpy().astype(np.float32))
    manifest = folder / f"{suffix}.csv"
    write_manifest(manifest, [Clip(path, len(wave) / SAMPLE_RATE, SAMPLE_RATE)])
    return manifest


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser("experiments.benchmark data", description=__doc__)
    parser.add_argument("--manifest", type=Path, help="of short clips (the tests' own)")
    parser.add_argument("--clips", type=int, default=600)
    parser.add_argument("--long-crops", type=int, default=40, help="of each ten-minute file a turn")
    parser.add_argument("--threads", type=int, default=1, help="of this process, which does mel")
    for name, value in vars(Setting()).items():
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    reader = "torchaudio" if has_torchaudio() else "the suite's reader (torchaudio is missing)"
    print(f"The published way reads with {reader}.\n")
    setting = Setting(options.frames, options.batch, options.workers, options.turns)
    print_table(COLUMNS, rows(options.manifest, setting, options.clips, options.long_crops))
