"""Jobs through submitit: to SLURM, or to its own controller on this machine."""

import os
import signal
import time
from pathlib import Path
from typing import Any

from experiments.studies.executors import Handle
from experiments.studies.job import Job, Outcome
from experiments.studies.options import Study
from experiments.studies.status import FAILED, INTERRUPTED

SHARED = (  # by AutoExecutor's names; the others begin with slurm_
    "name", "timeout_min", "mem_gb", "nodes", "cpus_per_task", "gpus_per_node", "tasks_per_node",
    "stderr_to_stdout",
)  # fmt: skip
DAY = 24 * 60  # minutes; submitit's own five suit no training
YEAR = 365 * DAY
TIMEOUTS = 1000  # a run that is out of time goes on in another job as often as need be


class SubmititHandle:
    """A submitit job, from whichever process it was submitted."""

    def __init__(self, job: Any) -> None:
        self.job = job

    def done(self) -> bool:
        if hasattr(self.job, "_process") and self.job._process is None:  # of an earlier study
            return self.job.paths.result_pickle.exists() or not is_alive(int(self.job.job_id))
        return bool(self.job.done())

    def result(self) -> Outcome:
        """The job's own; FAILED or INTERRUPTED where it was killed before it could tell."""
        started = time.monotonic()
        try:
            outcome: Outcome = self.job.result()
        except Exception as error:  # submitit's, or what the job raised, by way of submitit
            uncompleted = type(error).__name__ == "UncompletedJobError"
            return Outcome(INTERRUPTED if uncompleted else FAILED, time.monotonic() - started)
        return outcome

    def terminate(self) -> None:
        """SIGTERM, upon which the run saves: see job.on_sigterm."""
        if not hasattr(self.job, "_process"):
            self.job.cancel(check=False)
        elif is_alive(int(self.job.job_id)):
            os.kill(int(self.job.job_id), signal.SIGTERM)  # the controller passes it on


class SubmititExecutor:
    """Submits to SLURM, or runs `jobs` at once on this machine."""

    own = False

    def __init__(self, study: Study, folder: Path) -> None:
        import submitit

        self.cluster = "slurm" if study.executor == "slurm" else "local"
        self.at_once = None if self.cluster == "slurm" else study.jobs
        self.folder = folder / "submitit"
        self.executor = submitit.AutoExecutor(
            self.folder / "%j", cluster=self.cluster, slurm_max_num_timeout=TIMEOUTS
        )
        defaults: dict[str, Any] = {"timeout_min": YEAR}
        if self.cluster == "slurm":
            defaults = {"timeout_min": DAY, "gpus_per_node": study.processes, "name": "dcvae"}
        wanted = defaults | study.slurm
        try:
            self.executor.update_parameters(
                **{parameter(name): value for name, value in wanted.items()}
            )
        except (NameError, AssertionError, TypeError) as error:
            raise ValueError(f"slurm: {error}") from error

    def submit(self, job: Job) -> Handle:
        return SubmititHandle(self.executor.submit(job))

    def attach(self, entry: dict[str, str]) -> Handle | None:
        """The job of that id, where its submission is still on disk."""
        import submitit

        if entry.get("cluster") != self.cluster or "id" not in entry:
            return None
        kind = submitit.SlurmJob if self.cluster == "slurm" else submitit.LocalJob
        job: Any = kind(self.folder / "%j", entry["id"])
        return SubmititHandle(job) if job.paths.submitted_pickle.exists() else None

    def remember(self, handle: Handle) -> dict[str, str]:
        assert isinstance(handle, SubmititHandle)
        return {"cluster": self.cluster, "id": str(handle.job.job_id)}


def parameter(name: str) -> str:
    """AutoExecutor's name of a parameter: "slurm_partition" of "partition"."""
    return name if name in SHARED or name.startswith("slurm_") else f"slurm_{name}"


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
