"""From what a user names (files, folders, lists) to the files that are meant."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dcvae.data.manifest import MANIFESTS, read_filelist, read_manifest

AUDIO_SUFFIXES = frozenset(
    f".{name}" for name in ("aac", "aif", "aiff", "flac", "g722", "m4a", "mp3", "oga", "ogg")
) | frozenset(f".{name}" for name in ("opus", "sph", "wav", "webm", "wma"))
LISTS = (".txt", *MANIFESTS)


@dataclass(frozen=True)
class Kind:
    """A kind of file: what to call it, and how its names end."""

    name: str
    suffixes: frozenset[str]


AUDIO = Kind("audio", AUDIO_SUFFIXES)


def find_files(folder: Path, kind: Kind = AUDIO) -> list[Path]:
    """Every file of the kind below the folder, in a fixed order; ValueError where none is.

    A file that several names lead to, by links, is there once.
    """
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        raise ValueError(f"the folder {folder} {problem}")
    files = [
        path
        for path in walk(folder)
        if path.suffix.lower() in kind.suffixes and not path.name.startswith(".")
    ]
    if not files:
        raise ValueError(f"the folder {folder} holds no {kind.name} files")
    return sorted(one_each(files))


def walk(folder: Path) -> Iterator[Path]:
    """Every file below a folder, what links lead to last; each folder once, so that links that
    lead back up have an end.
    """
    folders, links, seen = deque([str(folder)]), deque[str](), set[str]()
    late: list[Path] = []
    while folders or links:
        parent = (folders or links).popleft()
        real = os.path.realpath(parent)
        if real in seen:
            continue
        seen.add(real)
        with suppress(OSError), os.scandir(parent) as found:  # of what may not be read
            for entry in sorted(found, key=lambda entry: entry.name):
                if entry.is_dir():
                    (links if entry.is_symlink() else folders).append(entry.path)
                elif entry.is_symlink():
                    late.append(Path(entry.path))
                else:
                    yield Path(entry.path)
    yield from late


def one_each(files: Iterable[Path]) -> list[Path]:
    """The first name of each file: "x/../a.wav" and a link to "a.wav" are "a.wav"."""
    first: dict[str, Path] = {}
    for file in files:
        first.setdefault(os.path.realpath(file), file)
    return list(first.values())


def find_sources(inputs: Iterable[Path], kind: Kind) -> list[tuple[Path, Path]]:
    """(file, its place below an output folder) of every file that the inputs stand for.

    An input is a file, a folder (searched to its depths), a text file of paths, or a manifest.
    Files keep their place below the folder given, or below the folder that all of a list have in
    common. ValueError for an input that stands for nothing.
    """
    found: dict[Path, Path] = {}
    for given in inputs:
        if given.is_dir():
            files, root = find_files(given, kind), given
        elif given.suffix.lower() in LISTS:
            files = listed_files(given)
            root = Path(os.path.commonpath([file.absolute().parent for file in files]))
        else:
            files, root = [given], given.parent  # whether it is there, its reader says
        for file in files:
            found.setdefault(file, Path(os.path.relpath(file, root)))
    return list(found.items())


def listed_files(file: Path) -> list[Path]:
    """The paths in a text file, one a line, or in a manifest."""
    if file.suffix.lower() in MANIFESTS:
        return [clip.path for clip in read_manifest(file)]
    return [Path(name) for name in read_filelist(file)]
