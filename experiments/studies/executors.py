"""Where jobs run: threads that wait for processes here, or submitit, with one interface."""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from experiments.studies.job import Ending, Job, Outcome


class Handle(Protocol):
    """A job that was submitted."""

    def done(self) -> bool:
        """Whether `result` would return at once."""

    def result(self) -> Outcome:
        """How it ended; whatever the executor raises where it cannot tell."""

    def terminate(self) -> None:
        """Ask it to save and end."""


class LocalHandle:
    """A job of this process' pool."""

    def __init__(self, job: Job | Ending, future: Future[Outcome]) -> None:
        self.job = job
        self.future = future

    def done(self) -> bool:
        return self.future.done()

    def result(self) -> Outcome:
        return self.future.result()

    def terminate(self) -> None:
        self.job.terminate()


class Executor(Protocol):
    """Takes jobs; `own` says whether they end with the study, or belong to somebody else."""

    at_once: int | None  # None: it decides by itself
    own: bool

    def submit(self, job: Job) -> Handle:
        """Start the job, now or when there is room."""

    def attach(self, entry: dict[str, str]) -> Handle | None:
        """A job that an earlier study submitted, if it is still there."""

    def remember(self, handle: Handle) -> dict[str, str]:
        """What `attach` will need."""


class LocalExecutor:
    """Runs `jobs` at once, each a process group of this machine."""

    own = True

    def __init__(self, jobs: int) -> None:
        self.at_once: int | None = jobs
        self.pool = ThreadPoolExecutor(jobs)

    def submit(self, job: Job | Ending) -> Handle:
        return LocalHandle(job, self.pool.submit(job))

    def attach(self, entry: dict[str, str]) -> Handle | None:
        """None: what outlived its study is known by the lock on its folder."""

    def remember(self, handle: Handle) -> dict[str, str]:
        return {}
