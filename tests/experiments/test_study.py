"""python -m experiments.study as a user starts and ends it."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dcvae.utils.locks import is_locked

ROOT = Path(__file__).parents[2]
MANIFEST = ROOT / "tests" / "data" / "manifest.csv"
RUN = """
# run.py without its training: it waits for a file beside the runs
import json, signal, sys, time
from pathlib import Path
from dcvae.utils.locks import folder_lock
from experiments.config import compose_runs
ablation, seed, *overrides = sys.argv[1:]
(run,) = compose_runs(ablation.split("=")[1], [int(seed.split("=")[1])], overrides)
def write(status):
    record = {"status": status, "steps": 4, "config": run.config}
    (run.run_dir / "new.json").write_text(json.dumps(record))
    (run.run_dir / "new.json").replace(run.run_dir / "run.json")
def save(*_):
    time.sleep(0.5)
    write("interrupted")
    sys.exit(75)
signal.signal(signal.SIGTERM, save)
with folder_lock(run.run_dir):
    (run.run_dir / "starts").open("a").write("x")
    write("running")
    while not Path(run.config["runs_dir"], "go").exists():
        time.sleep(0.05)
    write("finished")
"""
STUDY = """
import sys
from experiments.studies import commands
commands.RUN = sys.argv.pop(1)
from experiments.study import main
main()
"""


@pytest.fixture
def start(tmp_path):
    """Starts a study of two such runs, in a terminal's place a pipe."""
    (tmp_path / "run.py").write_text(RUN)
    started = []

    def begin(*settings: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", STUDY, str(tmp_path / "run.py"), "study=smoke"]
        options = ["analysis=null", "report=false", f"runs_dir={tmp_path}", *settings]
        started.append(
            subprocess.Popen([*command, *options], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        )
        return started[-1]

    yield begin
    (tmp_path / "go").touch()
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def wait_until(true) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def status(folder: Path) -> str:
    path = folder / "run.json"
    return json.loads(path.read_text())["status"] if path.exists() else ""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75), (signal.SIGHUP, 75)]
)
def test_a_signal_lets_the_runs_save_and_the_same_command_goes_on(start, tmp_path, number, code):
    first, second = (tmp_path / "debug" / name / "seed0" for name in ("baseline", "plain_ae"))
    study = start()
    wait_until(lambda: status(first) == "running")
    study.send_signal(number)
    study.communicate(timeout=30)
    assert study.returncode == code
    assert status(first) == "interrupted"
    assert not second.exists()
    (tmp_path / "go").touch()
    again = start()
    said, _ = again.communicate(timeout=30)
    assert again.returncode == 0
    assert "2 finished, 0 finished before, 0 failed" in said
    assert (status(first), status(second)) == ("finished", "finished")
    assert [(folder / "starts").read_text() for folder in (first, second)] == ["xx", "x"]
    last = start()
    said, _ = last.communicate(timeout=30)
    assert "0 finished, 2 finished before, 0 failed" in said


def test_runs_outlive_a_killed_study_and_are_waited_for(start, tmp_path):
    first = tmp_path / "debug" / "baseline" / "seed0"
    study = start()
    wait_until(lambda: status(first) == "running")
    study.kill()
    study.wait()
    assert is_locked(first)
    again = start()
    assert "baseline/seed0: running elsewhere" in again.stdout.readline()
    (tmp_path / "go").touch()
    said, _ = again.communicate(timeout=30)
    assert again.returncode == 0
    assert "baseline/seed0: finished before" in said
    assert "1 finished, 1 finished before, 0 failed" in said
    assert (first / "starts").read_text() == "x"


def test_submitted_runs_go_on_without_the_study_and_are_found_again(start, tmp_path):
    pytest.importorskip("submitit", reason="submitit is not installed")
    first = tmp_path / "debug" / "baseline" / "seed0"
    study = start("executor=submitit_local")
    wait_until(lambda: status(first) == "running")
    study.send_signal(signal.SIGTERM)
    assert study.wait(30) == 75
    assert is_locked(first)
    jobs = json.loads((tmp_path / "studies" / "smoke" / "jobs.json").read_text())
    assert list(jobs) == [str(first)]
    again = start("executor=submitit_local")
    time.sleep(2)
    (tmp_path / "go").touch()
    said, _ = again.communicate(timeout=60)
    assert again.returncode == 0, said
    assert (first / "starts").read_text() == "x"
    assert status(tmp_path / "debug" / "plain_ae" / "seed0") == "finished"
