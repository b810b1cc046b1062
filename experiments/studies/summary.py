"""What a study says at its end, and with which exit status."""

import signal
from collections.abc import Sequence
from pathlib import Path

from experiments.studies.console import duration
from experiments.studies.progress import tail
from experiments.studies.scheduler import Entry, Stop
from experiments.studies.status import FAILED, FINISHED, SKIPPED
from experiments.training.preemption import EXIT_STATUS

LAST_LINES = 5


def summarise(entries: Sequence[Entry], seconds: float) -> str:
    """Counts and times, and of each failure the last lines of its log."""
    states = [entry.state for entry in entries]
    open_still = len(states) - sum(states.count(s) for s in (FINISHED, SKIPPED, FAILED))
    own = sum(entry.seconds for entry in entries)
    lines = [
        f"{states.count(FINISHED)} finished, {states.count(SKIPPED)} finished before,"
        f" {states.count(FAILED)} failed" + (f", {open_still} to go on with" if open_still else ""),
        f"{duration(seconds)} in all; the runs' own times are {duration(own)} together"
        f" ({seconds:.1f} s and {own:.1f} s)",
    ]
    for entry in entries:
        if entry.state == FAILED:
            lines.append(f"{entry.name} failed; the end of {entry.job.log}:")
            lines += [f"    {line}" for line in last_lines(entry.job.log)]
    return "\n".join(lines)


def last_lines(log: Path) -> list[str]:
    """Those that say something."""
    lines = [line.rstrip() for line in tail(log, 8192).splitlines()]
    return [line for line in lines if line][-LAST_LINES:]


def exit_status(entries: Sequence[Entry], stop: Stop) -> int:
    """0, 1 after a failure, 75 after a signal that asks to come again, 130 after SIGINT."""
    if stop.signal is not None:
        return 128 + signal.SIGINT if stop.signal == signal.SIGINT else EXIT_STATUS
    return int(any(entry.state == FAILED for entry in entries))
