"""Small scripts in the place of training runs: they write run.json and hold the folder's lock."""

import json
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.studies.executors import LocalExecutor
from experiments.studies.job import Job
from experiments.studies.job_records import JobRecords
from experiments.studies.scheduler import Entry, Scheduler, Stop

PRELUDE = """
import json, os, signal, sys, time
from pathlib import Path
folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
(folder / "starts").open("a").write(os.environ.get("CUDA_VISIBLE_DEVICES", "") + "\\n")
times = len((folder / "starts").read_text().splitlines())
pause = 0.3  # seconds to save
def write(status):
    (folder / "new.json").write_text(json.dumps({"status": status, "steps": 10}))
    os.replace(folder / "new.json", folder / "run.json")
def save(*_):
    time.sleep(pause)
    write("interrupted")
    sys.exit(75)
signal.signal(signal.SIGTERM, save)
"""


@pytest.fixture
def make_job(tmp_path) -> Callable[..., Job]:
    """A job whose training is the given script; `times` counts its starts from 1."""

    def make(name: str, script: str, analyse: list[str] | None = None) -> Job:
        path = tmp_path / f"{name}.py"
        path.write_text(PRELUDE + textwrap.dedent(script))
        run_dir = tmp_path / "runs" / name
        command = [sys.executable, str(path), str(run_dir)]
        return Job(run_dir, tmp_path / "logs" / f"{name}.log", command, analyse, {})

    return make


@pytest.fixture
def run_jobs(tmp_path) -> Callable[..., list[Entry]]:
    """The entries of jobs that came to their ends, and all states that were shown."""

    def run(jobs: list[Job], stop: Stop | None = None, **options: object) -> list[Entry]:
        entries = [Entry(job.run_dir.name, job) for job in jobs]
        stop = Stop() if stop is None else stop  # which is false as long as nothing stops it
        executor = options.pop("executor", None) or LocalExecutor(options.pop("at_once", 1))
        records = JobRecords(tmp_path / "jobs.json")
        show = options.pop("show", lambda entries: None)
        Scheduler(executor, records, stop, **options).run(entries, show)
        return entries

    return run


@pytest.fixture
def finished(tmp_path) -> Callable[[str], Path]:
    """A folder of a finished run."""

    def make(name: str) -> Path:
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps({"status": "finished", "steps": 10}))
        return folder

    return make
