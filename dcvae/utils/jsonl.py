"""Files of JSON lines that are written row by row, and followed while they grow."""

import json
import math
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from dcvae.utils.entries import LARGEST
from dcvae.utils.files import replace_text


def append_lines(path: Path, values: Iterable[Any]) -> None:
    """Add a line for each value, all in one write: those of several processes do not mix."""
    text = "".join(json.dumps(value) + "\n" for value in values)
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(file, text.encode())
    finally:
        os.close(file)


def read_lines(path: Path) -> list[Any]:
    """The values of a file's lines, without those that are damaged or cut short; [] of no file."""
    values: list[Any] = []
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return values
    for line in lines:
        with suppress(ValueError, RecursionError):
            values.append(json.loads(line))
    return values


def resume_lines(path: Path) -> list[Any]:
    """`read_lines`, once a last line that was cut short is gone: what is appended begins a line."""
    if path.is_file():
        with path.open("rb+") as file:
            whole = file.read().rfind(b"\n") + 1
            file.truncate(whole)
    return read_lines(path)


def append_row(path: Path, step: int, seconds: float, metrics: dict[str, float]) -> None:
    """Add {"step", "time", metric...}; what is not finite becomes null, for JSON has no word."""
    row = {"step": step, "time": round(seconds, 3), **metrics}
    finite = {name: value if math.isfinite(value) else None for name, value in row.items()}
    append_lines(path, [finite])


def rewind(path: Path, step: float) -> None:
    """Drop the rows after `step`, and a last one that was written by half."""
    if not path.exists():
        return
    kept = [row for row in map(as_row, path.read_bytes().splitlines()) if row is not None]
    kept = [row for row in kept if row["step"] <= step]
    replace_text(path, "".join(json.dumps(row) + "\n" for row in kept))


def as_row(line: str | bytes) -> dict[str, Any] | None:
    """A line as `append_row` writes it; None of any other: damaged, cut short, without a step."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict) or row.get("step") is None:
        return None
    return row if all(map(is_number, row.values())) else None


def is_number(value: object) -> bool:
    """Whether it can be a metric's: None of what was not finite, no whole number beyond 64 bits."""
    if isinstance(value, int):
        return abs(value) < LARGEST
    return isinstance(value, float | None)


class RowReader:
    """Gives the rows of a file that were not given yet; all of them once the file is another."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.inode = self.offset = 0

    def read(self) -> list[dict[str, Any]]:
        """The new rows, without one that is still being written."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            inode = os.fstat(file.fileno()).st_ino
            if inode != self.inode or file.seek(0, 2) < self.offset:  # rewound
                self.inode, self.offset = inode, 0
            file.seek(self.offset)
            whole, newline, _ = file.read().rpartition(b"\n")
        self.offset += len(whole + newline)
        return [row for row in map(as_row, whole.splitlines()) if row is not None]
