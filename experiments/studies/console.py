"""What a study shows: a live table on a terminal, elsewhere a line for each change of state."""

import sys
from collections.abc import Sequence
from typing import Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from experiments.studies.progress import read_progress
from experiments.studies.scheduler import Entry
from experiments.studies.status import ANALYSING, ELSEWHERE, FAILED, FINISHED, RUNNING, SKIPPED

COLUMNS = ("run", "state", "step", "steps/s", "left", "mel L1", "validation")
COLOURS = {RUNNING: "cyan", ANALYSING: "cyan", FINISHED: "green", SKIPPED: "green", FAILED: "red"}
MOVING = (RUNNING, ANALYSING, ELSEWHERE)


class StatusDisplay(Protocol):
    """Is shown the entries now and then."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...

    def show(self, entries: Sequence[Entry]) -> None:
        """How they stand."""


class Lines:
    """A line for each change of state."""

    def __init__(self) -> None:
        self.shown: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        return

    def show(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if entry.state != self.shown.get(entry.name):
                self.shown[entry.name] = entry.state
                print(f"{entry.name}: {entry.state}", flush=True)


class LiveTable:
    """The table, drawn anew in its place."""

    def __init__(self, console: Console) -> None:
        self.live = Live(console=console, auto_refresh=False)
        self.cells: dict[str, tuple[str, ...]] = {}

    def __enter__(self) -> Self:
        self.live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.live.stop()

    def show(self, entries: Sequence[Entry]) -> None:
        table = Table(*COLUMNS, box=None, pad_edge=False)
        for entry in entries:
            if entry.state in MOVING or entry.name not in self.cells:
                self.cells[entry.name] = progress_cells(entry)
            colour = COLOURS.get(entry.state, "")
            table.add_row(entry.name, entry.state, *self.cells[entry.name], style=colour)
        self.live.update(table, refresh=True)


def make_display() -> StatusDisplay:
    return LiveTable(Console()) if sys.stdout.isatty() else Lines()


def progress_cells(entry: Entry) -> tuple[str, ...]:
    """The columns after the state; a dash for what is not known."""
    now = read_progress(entry.run_dir)
    left = now.remaining if entry.state in (RUNNING, ELSEWHERE) else None
    return (
        "-" if now.step is None else f"{now.step} of {now.steps}",
        "-" if now.steps_per_second is None else f"{now.steps_per_second:.2f}",
        "-" if left is None else duration(left),
        "-" if now.training is None else f"{now.training:.3f}",
        "-" if now.validation is None else f"{now.validation:.3f}",
    )


def duration(seconds: float) -> str:
    """1:02:03"""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
