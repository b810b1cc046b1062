"""The manifest: one CSV row a clip, with what is known of it. Shared by training and analysis."""

import csv
import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dcvae.atomic import replacing

COLUMNS = ("path", "duration", "sample_rate", "speaker", "language", "text", "split")
SPLITS = ("train", "validation", "test")


class ManifestError(ValueError):
    """A manifest that is missing, damaged, or holds too little for what is asked."""


@dataclass(frozen=True)
class Clip:
    """One audio file: seconds, Hz and labels; an unknown label is "".

    `key` is the path as the manifest writes it: the same on every machine where the files lie
    below the manifest's folder, so that names, splits and subsets drawn from it are too.
    """

    path: Path
    duration: float
    sample_rate: int
    speaker: str = ""
    language: str = ""
    text: str = ""
    split: str = "train"
    key: str = ""

    @property
    def name(self) -> str:
        """Unique, stable and safe as a file name: the path's end, and a hash of all of it."""
        key = self.key or self.path.as_posix()
        parts = Path(key).with_suffix("").parts[-2:]
        readable = re.sub(r"[^A-Za-z0-9_]+", "-", "-".join(parts)).strip("-")[-48:].strip("-")
        return f"{readable}-{fixed_hash(key):016x}"[:-6]


def fixed_hash(text: str) -> int:
    """64 bits that depend on the text alone, the same in every process and on every machine."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()[:8])


def write_manifest(path: str | os.PathLike[str], clips: Iterable[Clip]) -> None:
    """Write the clips as CSV, whole or not at all; paths relative where below the folder."""
    folder = Path(path).absolute().parent
    with (
        replacing(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for clip in clips:
            audio = clip.path.absolute()
            below = audio.is_relative_to(folder)
            shown = audio.relative_to(folder) if below else audio
            duration = f"{clip.duration:.6f}"
            labels = (clip.speaker, clip.language, clip.text, clip.split)
            writer.writerow((shown.as_posix(), duration, clip.sample_rate, *labels))


def read_manifest(path: str | os.PathLike[str]) -> list[Clip]:
    """The clips of a manifest, their paths made absolute; ManifestError names file and line."""
    file = Path(path)
    if not file.is_file():
        raise ManifestError(f"{file}: there is no such manifest")
    folder = file.absolute().parent
    try:
        with file.open(newline="", encoding="utf-8", errors="surrogateescape") as lines:
            reader = csv.DictReader(lines, strict=True)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise ManifestError(f"{file} is no manifest: it has no column {missing[0]!r}")
            clips = [_clip(row, folder, f"{file}, line {reader.line_num}") for row in reader]
    except csv.Error as error:
        raise ManifestError(f"{file} is damaged: {error}") from error
    if not clips:
        raise ManifestError(f"{file} lists no clips")
    return clips


def read_filelist(path: str | os.PathLike[str]) -> list[str]:
    """The paths in a text file, one a line, each once; ManifestError for a missing or empty one."""
    file = Path(path)
    if not file.is_file():
        problem = "is a folder, not a list" if file.is_dir() else "does not exist"
        raise ManifestError(f"the list {file} {problem}")
    text = file.read_text(encoding="utf-8", errors="surrogateescape")
    names = list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
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
    if not 0 < duration < float("inf") or sample_rate <= 0:
        raise ManifestError(f"{where}: duration and sample_rate must be positive numbers")
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
    groups: dict[tuple[str, str], list[Clip]] = defaultdict(list)
    for clip in clips:
        if clip.split == split and clip.duration >= min_seconds:
            groups[clip.language, clip.speaker].append(clip)
    if not groups or count < 1:
        raise ManifestError(
            f"no clip to select: {count} asked of split {split!r} with {min_seconds:g} s or more,"
            f" which has {sum(map(len, groups.values()))}"
        )
    ordered = [
        sorted(groups[group], key=lambda clip: (fixed_hash(clip.name), clip.name))
        for group in sorted(groups)
    ]
    turns = max(map(len, ordered))
    selected = [group[turn] for turn in range(turns) for group in ordered if turn < len(group)]
    return selected[:count]
