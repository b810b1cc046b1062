"""Submits a study's jobs, watches them, and brings back those that were interrupted."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.studies.commands import gpu_variables
from experiments.studies.executors import Executor, Handle
from experiments.studies.job import Job
from experiments.studies.job_records import JobRecords
from experiments.studies.progress import read_progress
from experiments.studies.status import (
    ANALYSING,
    ELSEWHERE,
    FAILED,
    FINISHED,
    INTERRUPTED,
    RUNNING,
    SKIPPED,
    WAITING,
    is_taken,
    is_trained,
    state_of,
)

PERIOD = 0.1  # seconds between looks at the jobs
TRIES = 5  # interruptions at the same step, after which a run that comes back is given up


@dataclass
class Entry:
    """One run of the study as it stands."""

    name: str
    job: Job
    state: str = WAITING
    handle: Handle | None = None
    gpus: list[str] | None = None
    seconds: float = 0.0  # of its processes, in this session
    step: int | None = None  # at the last interruption
    tries: int = 0  # interruptions at that step

    @property
    def run_dir(self) -> Path:
        return self.job.run_dir


class Stop:
    """Set by a signal, or by the first failure of a study that shall end with it."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self.failed = False

    def __bool__(self) -> bool:
        return self.signal is not None or self.failed


class Scheduler:
    """Keeps as many jobs going as the executor takes, until none is left or `stop` is set."""

    def __init__(
        self,
        executor: Executor,
        records: JobRecords,
        stop: Stop,
        shares: Sequence[list[str]] | None = None,
        fail_fast: bool = False,
    ) -> None:
        self.executor = executor
        self.records = records
        self.stop = stop
        self.shares = None if shares is None else list(shares)  # GPUs that no job has now
        self.fail_fast = fail_fast

    def run(self, entries: Sequence[Entry], show: Callable[[Sequence[Entry]], None]) -> None:
        """Bring every entry to its end, or all to a rest where `stop` is set."""
        self.find_old(entries)
        ending = False
        while not is_over(entries):
            for entry in entries:
                self.look_at(entry)
            if self.stop and not ending:
                ending = True
                self.terminate(entries)
            if not self.stop:
                self.fill(entries)
            show(entries)
            if self.stop and not any(entry.handle for entry in entries):
                return
            time.sleep(PERIOD)
        show(entries)

    def find_old(self, entries: Sequence[Entry]) -> None:
        """What is finished, and what still runs since an earlier study, with its GPUs."""
        for entry in entries:
            if is_taken(entry.run_dir):
                entry.state = ELSEWHERE
                gpus = self.records.get(entry.run_dir).get("gpus")
                if self.shares is not None and gpus in self.shares:
                    self.shares.remove(gpus)
                    entry.gpus = gpus
            elif state_of(entry.run_dir, entry.job.analyse is not None) == FINISHED:
                entry.state = SKIPPED
                self.records.drop(entry.run_dir)

    def look_at(self, entry: Entry) -> None:
        """Take in how the job ended, if it has."""
        if entry.handle is None:
            return
        if not entry.handle.done():
            trained = entry.job.analyse is not None and is_trained(entry.run_dir)
            entry.state = ANALYSING if trained else RUNNING
            return
        outcome = entry.handle.result()
        entry.handle = None
        entry.seconds += outcome.seconds
        entry.state = outcome.state
        self.records.drop(entry.run_dir)
        self.give_back(entry)
        if entry.state == INTERRUPTED and not self.stop:
            step = read_progress(entry.run_dir).step
            entry.tries = entry.tries + 1 if step == entry.step else 1
            entry.step = step
            entry.state = FAILED if entry.tries == TRIES else INTERRUPTED
        if entry.state == FAILED and self.fail_fast:
            self.stop.failed = True

    def fill(self, entries: Sequence[Entry]) -> None:
        """Start what waits, as long as there is room; a run that goes on elsewhere takes room."""
        at_once = self.executor.at_once
        room = len(entries) if at_once is None else at_once
        room -= sum(entry.handle is not None for entry in entries)
        for entry in sorted(entries, key=lambda entry: entry.state != ELSEWHERE):
            if room <= 0:
                return
            if entry.state in (WAITING, INTERRUPTED, ELSEWHERE):
                self.start(entry)
                room -= entry.state != SKIPPED

    def start(self, entry: Entry) -> None:
        """Submit the job, or find that it is going on or was ended without us."""
        known = self.records.get(entry.run_dir)
        if handle := self.executor.attach(known):
            entry.handle, entry.state = handle, RUNNING
        elif is_taken(entry.run_dir):
            entry.state = ELSEWHERE
        elif state_of(entry.run_dir, entry.job.analyse is not None) == FINISHED:
            entry.state = SKIPPED
            self.give_back(entry)
        else:
            if self.shares is not None:
                entry.gpus = entry.gpus or self.shares.pop(0)
                entry.job.variables.update(gpu_variables(entry.gpus))
            entry.handle = self.executor.submit(entry.job)
            entry.state = RUNNING
            found = self.executor.remember(entry.handle)
            self.records.put(entry.run_dir, {**found, "gpus": entry.gpus})

    def give_back(self, entry: Entry) -> None:
        """The job's GPUs are for others."""
        if self.shares is not None and entry.gpus:
            self.shares.append(entry.gpus)
            entry.gpus = None

    def terminate(self, entries: Sequence[Entry]) -> None:
        """End what is ours, and after a failure what is SLURM's; a signal leaves that to go on."""
        for entry in entries:
            if entry.handle is not None:
                if self.executor.own or self.stop.failed:
                    entry.handle.terminate()
                else:
                    entry.handle = None


def is_over(entries: Sequence[Entry]) -> bool:
    return all(entry.state in (FINISHED, SKIPPED, FAILED) for entry in entries)
