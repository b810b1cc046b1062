"""Where outputs go, which of them are there already, and which must not be written over."""

import json
from collections.abc import Iterable
from pathlib import Path

from dcvae.utils.files import replace_text
from dcvae.utils.jsonl import append_lines, resume_lines

OUTPUT_LOG = "dcvae.jsonl"

Task = tuple[Path, Path]  # a source and its target


def place(sources: Iterable[tuple[Path, Path]], folder: Path, suffix: str) -> list[Task]:
    """Each source's target below the folder; ValueError where two would be one file."""
    tasks: dict[Path, Path] = {}
    for source, name in sources:
        target = folder / name.with_suffix(suffix)
        if target in tasks:
            raise ValueError(
                f"{tasks[target]} and {source} would both become {target}: take them one by one"
            )
        tasks[target] = source
    return [(source, target) for target, source in tasks.items()]


class OutputLog:
    """DIR/dcvae.jsonl: what an output folder's files were made with, and which are finished.

    The same command, started again after an interruption, goes on from it; files that something
    else made are never taken for its own.
    """

    def __init__(self, folder: Path, settings: dict[str, str], overwrite: bool) -> None:
        self.folder, self.path, self.overwrite = folder, folder / OUTPUT_LOG, overwrite
        self.finished = set() if overwrite else read_finished(self.path, settings)
        folder.mkdir(parents=True, exist_ok=True)
        if not self.finished:
            replace_text(self.path, json.dumps(settings) + "\n")

    def is_finished(self, source: Path, target: Path) -> bool:
        """Whether the target is there, made by these settings, and no older than its source."""
        named = str(target.relative_to(self.folder)) in self.finished
        both = named and target.is_file() and source.is_file()
        return both and target.stat().st_mtime >= source.stat().st_mtime

    def check(self, target: Path) -> None:
        """ValueError for a target in whose place there is something that is not ours."""
        if str(target.relative_to(self.folder)) not in self.finished:
            check_free(target, self.overwrite)

    def add(self, target: Path) -> None:
        append_lines(self.path, [str(target.relative_to(self.folder))])


class Unrecorded:
    """In an OutputLog's place for a single file, which is written anew or not at all."""

    def __init__(self, overwrite: bool) -> None:
        self.overwrite = overwrite

    def is_finished(self, source: Path, target: Path) -> bool:
        return False

    def check(self, target: Path) -> None:
        check_free(target, self.overwrite)

    def add(self, target: Path) -> None:
        """Nothing is kept."""


def check_free(target: Path, overwrite: bool) -> None:
    """ValueError for a target that is there already."""
    if target.is_dir():
        raise ValueError(f"{target} is a folder, and a file is to be written there")
    if target.exists() and not overwrite:
        raise ValueError(f"{target} exists: --overwrite writes over it")


def read_finished(path: Path, settings: dict[str, str]) -> set[str]:
    """The finished outputs that a log names, none where its settings were others.

    A line cut short by an interruption, as anything that is no log, counts for nothing.
    """
    lines = resume_lines(path)
    if not lines or lines[0] != settings:
        return set()
    return {line for line in lines[1:] if isinstance(line, str)}
