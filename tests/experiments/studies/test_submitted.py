"""Jobs through submitit's own controller on this machine: they resume, and are found again."""

import signal
import time

import pytest

psutil = pytest.importorskip("psutil")
pytest.importorskip("submitit", reason="submitit is not installed")

from experiments.studies.options import Study  # noqa: E402
from experiments.studies.status import FINISHED  # noqa: E402
from experiments.studies.submitit_executor import SubmititExecutor, parameter  # noqa: E402

SLOW = """
pause = 2
if times > 1:
    assert "interrupted" in (folder / "run.json").read_text()  # it was let save
    sys.exit(write("finished"))
write("running")
time.sleep(60)
"""


def wait_for(path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.05)


def test_a_preempted_job_saves_and_goes_on_and_an_id_finds_it(make_job, tmp_path):
    """As SLURM preempts: submitit's signal at the job, which is then started again."""
    executor = SubmititExecutor(Study(executor="submitit_local"), tmp_path)
    job = make_job("slow", SLOW)
    handle = executor.submit(job)
    wait_for(job.run_dir / "run.json")
    again = executor.attach(executor.remember(handle))
    assert again is not None
    assert not again.done()
    (task,) = psutil.Process(int(handle.job.job_id)).children()
    task.send_signal(signal.SIGUSR2)
    assert handle.result().state == FINISHED
    assert len((job.run_dir / "starts").read_text().splitlines()) == 2
    assert again.result().state == FINISHED
    assert executor.attach({"cluster": "local", "id": "1"}) is None


def test_a_terminated_job_saves(make_job, tmp_path):
    executor = SubmititExecutor(Study(executor="submitit_local"), tmp_path)
    job = make_job("slow", SLOW)
    handle = executor.submit(job)
    wait_for(job.run_dir / "run.json")
    handle.terminate()
    assert handle.result().state == "interrupted"


def test_parameters_get_slurms_names(tmp_path):
    assert parameter("partition") == "slurm_partition"
    assert parameter("timeout_min") == "timeout_min"
    with pytest.raises(ValueError, match="partitoin"):
        SubmititExecutor(Study(executor="submitit_local", slurm={"partitoin": "a"}), tmp_path)
