"""One run from the first step to its scores, as an object that any executor can call."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.studies.process_group import ProcessGroup
from experiments.studies.status import (
    FINISHED,
    INTERRUPTED,
    is_analysed,
    is_trained,
    outcome_of,
    written,
)


@dataclass(frozen=True)
class Outcome:
    """FINISHED, INTERRUPTED, ELSEWHERE or FAILED, and the seconds that its processes took."""

    state: str
    seconds: float


@dataclass
class Job:
    """Trains a run and analyses it; what is done already is not started again."""

    run_dir: Path
    log: Path
    train: list[str]
    analyse: list[str] | None
    variables: dict[str, str]  # of the environment
    group: ProcessGroup = field(init=False)

    def __post_init__(self) -> None:
        self.group = ProcessGroup(self.log)

    def __call__(self) -> Outcome:
        """Do what is left to do, and say how it ended."""
        started, state = time.monotonic(), FINISHED
        with on_sigterm(self.terminate):
            for command, is_done in ((self.train, is_trained), (self.analyse, is_analysed)):
                if command and state == FINISHED:
                    state = self.step(command, is_done)
        return Outcome(state, time.monotonic() - started)

    def step(self, command: list[str], is_done: Callable[[Path], bool]) -> str:
        """One command, unless it is done or the job is being ended."""
        if is_done(self.run_dir):
            return FINISHED
        if self.group.stopping:
            return INTERRUPTED
        before = written(self.run_dir)
        return outcome_of(self.run_dir, self.group.run(command, self.variables), before)

    def terminate(self) -> None:
        """SIGTERM to whatever runs: it saves, and the job ends as INTERRUPTED."""
        self.group.terminate()

    def checkpoint(self) -> Any:
        """What submitit calls before it requeues the job: the run saves, and will go on."""
        from submitit.helpers import DelayedSubmission

        self.group.terminate()
        self.group.wait()
        return DelayedSubmission(self)


@dataclass
class Ending:
    """What follows all runs: commands one after another, of which each is wanted."""

    log: Path
    commands: list[list[str]]
    variables: dict[str, str]
    group: ProcessGroup = field(init=False)

    def __post_init__(self) -> None:
        self.group = ProcessGroup(self.log)

    def __call__(self) -> Outcome:
        """Run them all; the first that fails ends it."""
        started, state = time.monotonic(), FINISHED
        for command in self.commands:
            if state == FINISHED:
                stopping = self.group.stopping
                status = -signal.SIGTERM if stopping else self.group.run(command, self.variables)
                state = outcome_of(self.log.parent, status, 0)
        return Outcome(state, time.monotonic() - started)

    def terminate(self) -> None:
        self.group.terminate()


@contextmanager
def on_sigterm(action: Callable[[], None]) -> Iterator[None]:
    """SIGTERM calls `action` for this block, where this is the thread that gets signals.

    SLURM's own way to end a job: submitit would ignore it, and SIGKILL come half a minute later.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: action())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
