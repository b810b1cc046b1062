"""Files to manifest rows: every file is decoded once, in parallel, and what fails is listed."""

import logging
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from dcvae.audio.checks import AudioError
from dcvae.audio.io import AudioInfo, decoder_name, probe_audio
from dcvae.data.manifest import EVERY_CORPUS, SPLITS, Clip, fixed_hash, write_manifest
from dcvae.utils.files import replacing
from experiments.data.index_log import IndexLog
from experiments.data.labels import Labels, path_labels

WAITING = 16  # files a worker that are probed ahead of what is told
SILENT_PEAK = 1e-3  # -60 dBFS: the tape noise of "silence" prompts, never a voice
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Index:
    """The clips that can be used, and (path, reason) of each file that cannot."""

    clips: list[Clip]
    failures: list[tuple[Path, str]]


def split_of(name: str, test_percent: int = 5) -> str:
    """About 5% validation, so many percent test, the rest train, by a hash of the name alone."""
    place = fixed_hash(name) % 100 + test_percent
    return SPLITS[0] if place < 95 else SPLITS[1] if place < 100 else SPLITS[2]


def fill_splits(clips: Sequence[Clip]) -> list[Clip]:
    """Give a small corpus one clip in each split, where it has three or more."""
    filled = list(clips)
    for split in EVERY_CORPUS[1:]:
        train = [index for index, clip in enumerate(filled) if clip.split == SPLITS[0]]
        if len(train) > 1 and all(clip.split != split for clip in filled):
            moved = max(train, key=lambda index: fixed_hash(filled[index].path.name))
            filled[moved] = replace(filled[moved], split=split)
    return filled


def _probe(path: Path) -> AudioInfo | str:
    """What the file holds, or why it cannot be used."""
    try:
        info = probe_audio(path)
    except (AudioError, OSError) as error:
        return str(error)
    if info.peak < SILENT_PEAK:
        return f"{path} is silent (peak {info.peak:.1g})"
    return info


def _probe_all(
    files: Sequence[Path], pool: ThreadPoolExecutor, workers: int, index_log: IndexLog | None
) -> Iterator[AudioInfo | str]:
    """What each file holds, in order; few at a time wait, for there may be millions."""
    waiting: deque[tuple[Path, AudioInfo | str | Future[AudioInfo | str]]] = deque()

    def next_found() -> AudioInfo | str:
        file, found = waiting.popleft()
        if isinstance(found, Future):
            found = found.result()
            if index_log is not None:
                index_log.add(file, found)
        return found

    try:
        for file in files:
            known = index_log.find(file) if index_log is not None else None
            waiting.append((file, pool.submit(_probe, file) if known is None else known))
            if len(waiting) > WAITING * workers:
                yield next_found()
        while waiting:
            yield next_found()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def index_files(
    files: Sequence[Path],
    name: Callable[[Path], str] = str,
    label: Callable[[Path], Labels] = path_labels,
    workers: int | None = None,
    index_log: IndexLog | None = None,
) -> Index:
    """Decode each file and make its row; `name` is hashed where the labels name no split.

    Clips of any length are kept: who reads the manifest chooses by `duration`. What the log
    knows is not decoded again.
    """
    clips, failures = [], []
    decoder_name()  # imported, and its warning given, before the threads start
    workers = workers or os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        probes = _probe_all(files, pool, workers, index_log)
        bar = tqdm(zip(files, probes, strict=True), "indexing", len(files), unit="file")
        for path, found in bar:
            if isinstance(found, str):
                failures.append((path, found))
                continue
            labels = label(path)
            row = (found.duration, found.sample_rate, labels.speaker, labels.language, labels.text)
            clips.append(Clip(path, *row, split=labels.split or split_of(name(path))))
    return Index(clips, failures)


def unreadable_path(manifest: Path) -> Path:
    """Where the files that could not be used are listed: beside the manifest."""
    return manifest.with_name(f"{manifest.stem}.unreadable.txt")


def shown(path: Path) -> str:
    """A path on one line."""
    return str(path).replace("\n", "\\n").replace("\r", "\\r")


def write_unreadable(manifest: Path, failures: Iterable[tuple[Path, str]]) -> None:
    """List the failures, a path and a reason a line; no list when there are none."""
    lines = [
        f"{shown(path)}\t{' '.join(reason.removeprefix(str(path)).strip(' :').split())}\n"
        for path, reason in failures
    ]
    if not lines:
        unreadable_path(manifest).unlink(missing_ok=True)
        return
    with replacing(unreadable_path(manifest)) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8", errors="surrogateescape")


def write_index(manifest: Path, index: Index) -> str:
    """Write the list of failures, then the manifest; returns one line that sums both up."""
    if not index.clips and not index.failures:
        raise ValueError(f"{manifest} is not written: there are no audio files to list")
    if not index.clips:
        raise ValueError(
            f"none of the {len(index.failures)} audio files can be read"
            f" (the first: {index.failures[0][1]})"
        )
    write_unreadable(manifest, index.failures)
    write_manifest(manifest, index.clips)
    hours = sum(clip.duration for clip in index.clips) / 3600
    counted = Counter(clip.split for clip in index.clips)
    counts = ", ".join(
        f"{counted[split]} {split}" for split in SPLITS if counted[split] or split in EVERY_CORPUS
    )
    summary = f"{manifest}: {len(index.clips)} clips, {hours:.2f} h ({counts})"
    if index.failures:
        summary += f"; {len(index.failures)} unreadable, see {unreadable_path(manifest).name}"
    return summary
