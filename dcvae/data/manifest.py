"""The manifest: one row a clip, with what is known of it. Shared by training and analysis.

CSV is the small form, for the eye and the editor; Parquet (dcvae.data.parquet) that of millions.
"""

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from dcvae.audio.rates import HIGHEST_RATE
from dcvae.data.clip import (
    COLUMNS,
    EVERY_CORPUS,
    SPLITS,
    Clip,
    ManifestError,
    check_columns,
    clip_name,
    fixed_hash,
)
from dcvae.data.columnar import Manifest, to_table
from dcvae.utils.csv_lines import csv_line
from dcvae.utils.files import replacing

__all__ = [
    "COLUMNS",
    "EVERY_CORPUS",
    "MANIFESTS",
    "SPLITS",
    "Clip",
    "Manifest",
    "ManifestError",
    "fits_line",
    "fixed_hash",
    "read_filelist",
    "read_manifest",
    "select_clips",
    "write_manifest",
]
ENCODING = "utf-8-sig"  # without the mark that some spreadsheets begin a file with
MANIFESTS = (".csv", ".parquet")


def write_manifest(path: str | os.PathLike[str], clips: Iterable[Clip]) -> None:
    """Write the clips as the suffix says, whole or not at all; paths relative where below it."""
    file = Path(path)
    shown = _shown(clips, file.absolute().parent)
    if file.suffix == ".parquet":
        from dcvae.data.parquet import write_parquet

        write_parquet(file, shown)
        return
    with (
        replacing(file) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as lines,
    ):
        lines.write(csv_line(COLUMNS))
        for clip in shown:
            labels = (clip.speaker, clip.language, clip.text, clip.split)
            row = (clip.key, f"{clip.duration:.6f}", clip.sample_rate, *labels)
            lines.write(csv_line(row))


def _shown(clips: Iterable[Clip], folder: Path) -> Iterator[Clip]:
    """Clips with what a manifest in the folder says of their paths and durations."""
    for clip in clips:
        audio = clip.path.absolute()
        path = audio.relative_to(folder) if audio.is_relative_to(folder) else audio
        yield replace(clip, key=path.as_posix(), duration=float(f"{clip.duration:.6f}"))


def read_manifest(path: str | os.PathLike[str]) -> Manifest:
    """The clips of a manifest, their paths made absolute; ManifestError names file and line."""
    file = Path(path)
    if not file.is_file():
        raise ManifestError(f"{file}: there is no such manifest")
    if file.suffix == ".parquet":
        from dcvae.data.parquet import read_parquet

        return read_parquet(file)
    folder = file.absolute().parent
    try:
        with file.open(newline="", encoding=ENCODING, errors="surrogateescape") as lines:
            reader = csv.DictReader(lines, strict=True)
            check_columns(file, reader.fieldnames or ())
            table = to_table(
                _clip(row, folder, f"{file}, line {reader.line_num}") for row in reader
            )
    except csv.Error as error:
        raise ManifestError(f"{file} is damaged: {error}") from error
    if not table.num_rows:
        raise ManifestError(f"{file} lists no clips")
    return Manifest(table, folder)


def fits_line(name: str) -> bool:
    """Whether a list of one path a line gives this one back."""
    return "\n" not in name and name == name.strip()


def read_filelist(path: str | os.PathLike[str]) -> list[str]:
    """The paths in a text file, one a line, each once; ManifestError for a missing or empty one."""
    file = Path(path)
    if not file.is_file():
        problem = "is a folder, not a list" if file.is_dir() else "does not exist"
        raise ManifestError(f"the list {file} {problem}")
    text = file.read_bytes().decode(ENCODING, errors="surrogateescape")
    names = list(dict.fromkeys(line.strip() for line in text.split("\n") if line.strip()))
    if not names:
        raise ManifestError(f"the list {file} is empty: one path a line is expected")
    return names


def _clip(row: dict[str, str | None], folder: Path, where: str) -> Clip:
    """One row, its numbers checked."""
    if any(row[name] is None for name in COLUMNS) or not row["path"]:
        raise ManifestError(f"{where}: the row is incomplete")
    value = {name: str(row[name]) for name in COLUMNS}
    try:
        duration, sample_rate = float(value["duration"]), int(value["sample_rate"])
    except ValueError:
        raise ManifestError(f"{where}: duration and sample_rate must be numbers") from None
    if not 0 < duration < float("inf") or not 0 < sample_rate <= HIGHEST_RATE:
        raise ManifestError(
            f"{where}: duration and sample_rate must be positive numbers, of Hz up"
            f" to {HIGHEST_RATE}"
        )
    if value["split"] not in SPLITS:
        raise ManifestError(f"{where}: split {value['split']!r} is none of {', '.join(SPLITS)}")
    labels = {name: value[name] for name in ("speaker", "language", "text", "split")}
    return Clip(folder / value["path"], duration, sample_rate, **labels, key=value["path"])


def select_clips(
    clips: Sequence[Clip], split: str, count: int, min_seconds: float = 0.0
) -> list[Clip]:
    """The fixed subset of a split: at most `count` clips of `min_seconds` or more.

    One clip of every (language, speaker) in turn, each group in the order of its names' hashes:
    every speaker is present when `count` reaches their number, and adding clips to the corpus
    moves few. Fewer clips than `count` come back where the split holds fewer; none is an error.
    """
    if isinstance(clips, Manifest):
        chosen: Sequence[Clip] = clips.where(split, min_seconds)
    else:
        chosen = [clip for clip in clips if clip.split == split and clip.duration >= min_seconds]
    if not chosen or count < 1:
        raise ManifestError(
            f"no clip to select: {count} asked of split {split!r} with {min_seconds:g} s or more,"
            f" which has {len(chosen)}"
        )
    groups, hashes = _order(chosen)
    ordered = np.lexsort((hashes, groups))
    groups = groups[ordered]
    turns = np.arange(len(groups)) - np.searchsorted(groups, groups)
    selected = ordered[np.lexsort((groups, turns))]
    return [chosen[int(row)] for row in selected[:count]]


def _order(clips: Sequence[Clip]) -> tuple[np.ndarray, np.ndarray]:
    """Of each clip, its (language, speaker) as a number in their order, and its name's hash.

    Numbers alone are kept, for there may be millions.
    """
    rows: Iterable[tuple[str, ...]]
    if isinstance(clips, Manifest):
        rows = clips.texts("language", "speaker", "path")
    else:
        rows = ((clip.language, clip.speaker, clip.key or clip.path.as_posix()) for clip in clips)
    numbers: dict[tuple[str, ...], int] = {}
    pairs = (
        (numbers.setdefault(group, len(numbers)), fixed_hash(clip_name(key)))
        for *labels, key in rows
        for group in (tuple(labels),)
    )
    table = np.fromiter(pairs, [("group", "u4"), ("hash", "u8")], len(clips))
    ranks = {group: rank for rank, group in enumerate(sorted(numbers))}
    return np.array([ranks[group] for group in numbers])[table["group"]], table["hash"]
