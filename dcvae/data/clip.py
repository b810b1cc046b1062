"""One row of a manifest, and what its name follows from."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

COLUMNS = ("path", "duration", "sample_rate", "speaker", "language", "text", "split")
SPLITS = ("train", "validation", "test", "unseen")
EVERY_CORPUS = SPLITS[:3]  # "unseen" holds whole voices that no other split has, where some can be


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
        return clip_name(self.key or self.path.as_posix())


def check_columns(file: Path, names: Sequence[str]) -> None:
    """ManifestError for a column that is missing, or there twice."""
    for name in COLUMNS:
        if name not in names:
            raise ManifestError(f"{file} is no manifest: it has no column {name!r}")
        if list(names).count(name) > 1:
            raise ManifestError(f"{file} has the column {name!r} more than once")


def clip_name(key: str) -> str:
    """The name of the clip with that key."""
    parts = Path(key).with_suffix("").parts[-2:]
    readable = re.sub(r"[^A-Za-z0-9_]+", "-", "-".join(parts)).strip("-")[-48:].strip("-")
    return f"{readable}-{fixed_hash(key):016x}"[:-6]


def fixed_hash(text: str) -> int:
    """64 bits that depend on the text alone, the same in every process and on every machine."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()[:8])
