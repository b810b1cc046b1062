"""What loading costs: crops a second out of the workers, beside the published way of getting them.

The published way decodes and resamples the whole file, cuts a random crop out of it and computes
its log-mel, all in the worker; here the crop alone is decoded, and its mel is the trainer's, on its
device. Both go through a DataLoader with the same workers, and take turns.
"""

import argparse
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

from dcvae.audio import read_audio
from dcvae.manifest import Clip, Manifest, fixed_hash, read_manifest, write_manifest
from dcvae.mel import HOP, SAMPLE_RATE, LogMel
from experiments.data.clips import Clips, leave_signals_alone

COLUMNS = ["corpus", "crops/s", "with mel", "published crops/s", "ratio", "low", "high", "with mel"]
LONG = 600  # seconds of a long file
CONTAINERS = {"wav": "PCM_16", "flac": "PCM_16", "ogg": "VORBIS", "mp3": "MPEG_LAYER_III"}


class PublishedClips(Dataset[Tensor]):
    """The reference: log-mel [M, F] of a random crop of a clip that is decoded as a whole."""

    def __init__(self, clips: Sequence[Clip], segment_frames: int) -> None:
        self.clips, self.samples, self.mel = clips, segment_frames * HOP, LogMel()

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> Tensor:
        wave = read_audio(self.clips[index].path)
        first = int(torch.randint(max(len(wave) - self.samples, 0) + 1, ()))
        crop = wave[first : first + self.samples]
        crop = torch.nn.functional.pad(crop, (0, self.samples - len(crop)))
        return self.mel(crop[None])[0]


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
    speech = read_manifest(manifest or Path(__file__).parents[1] / "tests" / "data/manifest.csv")
    clips = spread(speech, count)
    if manifest is not None:
        yield [f"{len(clips)} clips", *compare(clips, range(len(clips)), setting)]
    with tempfile.TemporaryDirectory() as folder:
        wave = joined(clips)
        for suffix, kind in CONTAINERS.items():
            long = read_manifest(write_long(Path(folder), wave, suffix, kind))
            yield [f"ten minutes, {suffix}", *compare(long, [0] * long_crops, setting)]


def spread(clips: Manifest, count: int) -> list[Clip]:
    """So many clips of a second or more, drawn by the hash of their names."""
    long = [clip for clip in clips if clip.duration >= 1]
    return sorted(long, key=lambda clip: fixed_hash(clip.key))[:count]


def compare(clips: Sequence[Clip], indices: Sequence[int], setting: Setting) -> list[str]:
    """Crops a second of both ways, and the ratio's median, least and largest over the turns."""
    items = [(0, index) for index in indices]
    ours = setting.loader(Clips(clips, setting.frames, seed=0), items)
    published = setting.loader(PublishedClips(clips, setting.frames), list(indices))
    for loader in (ours, published):
        next(iter(loader))  # its workers start
    mel = LogMel()
    times: list[tuple[float, float, float]] = []
    for turn in range(setting.turns):
        asked = [(turn, index) for index in indices]
        items[:] = asked  # other crops of the same clips
        times.append((seconds(ours), seconds(ours, mel), seconds(published)))
    speeds = [[len(indices) / taken for taken in column] for column in zip(*times, strict=True)]
    ratios = [reference / taken for taken, _, reference in times]
    with_mel = statistics.median(reference / taken for _, taken, reference in times)
    middle = [statistics.median(column) for column in speeds]
    numbers = [*middle, statistics.median(ratios), min(ratios), max(ratios), with_mel]
    return [f"{number:.1f}" for number in numbers]


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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command line may say."""
    parser.add_argument("--manifest", type=Path, help="of short clips (the tests' own)")
    parser.add_argument("--clips", type=int, default=600)
    parser.add_argument("--long-crops", type=int, default=40, help="of each ten-minute file a turn")
    for name, value in vars(Setting()).items():
        parser.add_argument(f"--{name}", type=int, default=value)


def main(options: argparse.Namespace) -> None:
    """Print the table as Markdown, row by row."""
    setting = Setting(options.frames, options.batch, options.workers, options.turns)
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    for row in rows(options.manifest, setting, options.clips, options.long_crops):
        print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    it = argparse.ArgumentParser("experiments.benchmark_data", description=__doc__)
    add_arguments(it)
    main(it.parse_args())
