"""How far a run is, from the files in its folder: the same for every executor."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcvae.runs import METRICS, read_record
from dcvae.utils.jsonl import as_row

TAIL = 65536  # bytes of metrics.jsonl that hold its last rows


@dataclass(frozen=True)
class Progress:
    """None is not known yet. Losses are mel L1."""

    step: int | None = None
    steps: int | None = None
    steps_per_second: float | None = None
    training: float | None = None
    validation: float | None = None

    @property
    def remaining(self) -> float | None:
        """Seconds to the last step at the last speed."""
        if self.step is None or self.steps is None or not self.steps_per_second:
            return None
        return max(0, self.steps - self.step) / self.steps_per_second


def read_progress(run_dir: Path) -> Progress:
    """What the run's files say now; a file that is being written says what it can."""
    try:
        steps = (read_record(run_dir) or {}).get("steps")
    except ValueError:
        steps = None
    last: dict[str, Any] = {}
    for row in last_rows(run_dir / METRICS):
        last |= row
    return Progress(
        last.get("step"),
        steps,
        last.get("train/steps_per_second"),
        last.get("train/reconstruction"),
        last.get("validation/reconstruction"),
    )


def last_rows(path: Path) -> list[dict[str, Any]]:
    """The whole rows among the file's last bytes."""
    rows = map(as_row, tail(path, TAIL).splitlines())
    return [row for row in rows if row is not None]  # the first is cut by us


def tail(path: Path, size: int) -> str:
    """At most the last `size` bytes of a text file; "" where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - size))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
