"""Decoded training speech in one memory-mapped file, for few cores and for machines without FFmpeg.

Mono, 16 bits, 22,050 Hz: 159 MB an hour. A crop then costs its own bytes.
"""

import hashlib
import logging
import os
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout
from numpy.lib.format import open_memmap
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from dcvae.audio.io import LONG, AudioError, read_audio, to_int16
from dcvae.audio.mel import SAMPLE_RATE
from dcvae.data.manifest import Manifest
from dcvae.utils.files import fsync

VERSION = 1  # of what the file holds
SPARE = 2  # samples a clip has beyond its duration, which is rounded
FULL_SCALE = 32767  # of `to_int16`
SETTLED = 5.0  # seconds after which the disk is sure to have what is done
PATIENCE = 5.0  # seconds before waiting for another process is told
log = logging.getLogger(__name__)


class AudioCache:
    """The waves of a manifest's clips by row: int16 samples of all of them, one after the other.

    A row's place follows from the durations in the manifest; what its file holds beyond is left
    out, and where it holds less there are zeros, as in a crop. Each process maps the file when it
    first reads, and what goes to a worker is the file's name.
    """

    def __init__(self, path: Path, clips: Manifest) -> None:
        self.path = path
        durations = (clips.column("duration") * SAMPLE_RATE).astype(np.int64)
        self.offsets = np.concatenate([[0], np.cumsum(durations + SPARE)])  # rows + 1
        self.samples: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"samples": None}

    @property
    def total(self) -> int:
        """Samples of all clips."""
        return int(self.offsets[-1])

    @property
    def gigabytes(self) -> float:
        return self.total * 2 / 1e9

    def duration(self, row: int) -> int:
        """Whole samples of a row's duration in the manifest."""
        return int(self.offsets[row + 1] - self.offsets[row]) - SPARE

    def read(self, row: int, first: int, stop: int) -> Tensor:
        """Samples [T] of a row from `first` to `stop`, fewer where it ends earlier; float32."""
        if self.samples is None:
            self.samples = np.load(self.path, mmap_mode="r")
        begin, end = self.offsets[row] + first, min(self.offsets[row] + stop, self.offsets[row + 1])
        return torch.from_numpy(self.samples[begin:end].astype(np.float32)).div_(FULL_SCALE)


class Filling(Dataset[tuple[int, int, str]]):
    """Decodes a row into its place in the file: (row, samples that clipped, what went wrong)."""

    def __init__(self, cache: AudioCache, clips: Manifest, unfinished: Path) -> None:
        self.cache, self.clips, self.unfinished = cache, clips, unfinished

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, row: int) -> tuple[int, int, str]:
        begin, end = (int(offset) for offset in self.cache.offsets[row : row + 2])
        clipped, path, block = 0, self.clips[row].path, int(LONG) * SAMPLE_RATE
        try:
            for first in range(0, end - begin - SPARE, block):
                stop = min(first + block, end - begin)
                wave = read_audio(path, start=first / SAMPLE_RATE, stop=stop / SAMPLE_RATE)
                clipped += int((wave.abs() > 1).sum())
                self.write(begin + first, to_int16(path, wave))
        except (AudioError, OSError) as error:
            return row, clipped, str(error)
        return row, clipped, ""

    def write(self, place: int, samples: np.ndarray) -> None:
        """Put samples at their place; through a map each page would wait for the file system."""
        with self.unfinished.open("r+b") as file:
            file.seek(2 * (place - self.cache.total), os.SEEK_END)
            file.write(samples.data)


def open_cache(
    folder: Path, manifest: Path, clips: Manifest, workers: int | None = None
) -> AudioCache:
    """The cache of the clips, which are the manifest's or a selection of them; made where missing.

    Its name has a digest of the manifest's path and content and of the selection: another never
    reads it. Processes that start together wait for the first, under a lock rather than at a
    barrier, which would give up on what takes long. A making that was stopped goes on where it
    was. OSError names the file where the disk has no room, AudioError the clip without sound.
    """
    folder = folder.absolute()
    cache = AudioCache(folder / f"{manifest.stem}-{digest(manifest, clips)}.npy", clips)
    if not cache.path.is_file():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with waiting(beside(cache, "lock")):
                if not cache.path.is_file():
                    make(cache, clips, (os.cpu_count() or 1) if workers is None else workers)
        except OSError as error:
            reason = f"{error.strerror or error}; it takes {cache.gigabytes:.3g} GB"
            raise OSError(f"{cache.path} cannot be written: {reason}") from error
    if not holds(cache.path, cache.total):
        raise ValueError(f"{cache.path} is damaged: remove it, and it is made anew")
    return cache


def holds(path: Path, count: int) -> bool:
    """Whether a file is an array of so many numbers, whole."""
    try:
        return np.load(path, mmap_mode="r").shape == (count,)
    except (OSError, ValueError, EOFError):
        return False


def beside(cache: AudioCache, what: str) -> Path:
    """A file that is of use while the cache is made."""
    return cache.path.with_name(f".{cache.path.name}.{what}")


def digest(manifest: Path, clips: Manifest) -> str:
    """Changes with the manifest's place and content, the selection, and the form of the cache."""
    key = hashlib.sha256(f"{VERSION}\n{SAMPLE_RATE}\n{manifest.absolute()}\n".encode())
    with manifest.open("rb") as file:
        key.update(hashlib.file_digest(file, "sha256").digest())
    if clips.rows is not None:
        key.update(clips.rows.astype("<u4").tobytes())
    return key.hexdigest()[:12]


def waiting(path: Path) -> AbstractContextManager[Any]:
    """The lock at a path, held; that another process holds it is told in a line."""
    lock = FileLock(path)
    try:
        return lock.acquire(timeout=PATIENCE)
    except Timeout:
        log.info("%s: waiting for the process that makes the cache", path.parent)
        return lock.acquire()


def make(cache: AudioCache, clips: Manifest, workers: int) -> None:
    """Fill the file beside its place, and put it there once it is whole."""
    part, marks = beside(cache, "part"), beside(cache, "done")
    done = begin(cache, part, marks)
    left = np.flatnonzero(~done)
    hours = cache.total / SAMPLE_RATE / 3600
    log.info("%s: %.3g hours of speech take %.3g GB", cache.path, hours, cache.gigabytes)
    filling = Filling(cache, clips, part)
    loader = DataLoader(filling, batch_size=None, sampler=left, num_workers=workers)
    clipped, pending, settled = 0, list[int](), time.monotonic()
    with tqdm(total=len(done), initial=len(done) - len(left), desc="decoding", unit="clip") as bar:
        try:
            for row, more, problem in loader:
                if problem:
                    raise AudioError(f"{problem}: loader.cache is not made")
                pending.append(row)
                clipped += more
                bar.update()
                if time.monotonic() - settled >= SETTLED:
                    fsync(part)
                    done[pending] = True
                    pending, settled = [], time.monotonic()
        finally:
            fsync(part)
            done[pending] = True
    os.replace(part, cache.path)
    fsync(cache.path.parent)
    marks.unlink()
    if clipped:
        log.warning("%s: %d samples beyond full scale are clipped", cache.path, clipped)


def begin(cache: AudioCache, part: Path, marks: Path) -> np.ndarray:
    """The file with room for all, and which rows are done: those of a making that was stopped.

    The room is taken at once, so that a full disk is met now and not by a mapped page.
    """
    if not (holds(part, cache.total) and holds(marks, len(cache))):
        marks.unlink(missing_ok=True)
        try:
            open_memmap(part, "w+", np.dtype("<i2"), (cache.total,))
            with part.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, part.stat().st_size)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        open_memmap(marks, "w+", np.dtype(bool), (len(cache),))
    done: np.ndarray = np.load(marks, mmap_mode="r+")
    return done
