"""Training that is stopped and killed as a cluster does it, in processes of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dcvae.utils.locks import FolderInUseError, check_free, folder_lock, is_locked

ROOT = Path(__file__).parents[3]
MANIFEST = ROOT / "tests" / "data" / "manifest.csv"
STEPS = 36
COMMAND = [
    sys.executable, ROOT / "experiments" / "run.py", "size=debug", "data=filelist",
    f"data.train={MANIFEST}", "mlflow=null", "loader.num_workers=1", "adversary.start_fraction=0.2",
    f"trainer.steps={STEPS}", "trainer.save_every=7", "trainer.log_every=2",
    "trainer.validate_every=12",
    "precision=no",
]  # fmt: skip
THREADS = {"OMP_NUM_THREADS": "1", "DCVAE_THREADS": "1"}
PATIENCE = 120  # seconds
RUN = Path(f"runs/debug-{STEPS}steps/baseline/seed0")


def start(folder: Path) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    environment = os.environ | THREADS
    environment.pop("MASTER_ADDR", None)
    return subprocess.Popen(
        list(map(str, COMMAND)),
        cwd=folder,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # what a shell starts in the background would ignore it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )


def wait_until(process: subprocess.Popen[str], happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.005)


def reached(run_dir: Path, step: int) -> Callable[[], bool]:
    log = run_dir / "metrics.jsonl"
    return lambda: (
        log.exists() and any(f'"step": {n},' in log.read_text() for n in range(step, STEPS))
    )


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, errors = process.communicate(timeout=PATIENCE)
    return process.returncode, errors


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, commands) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    done = commands(folder, *COMMAND[1:], **THREADS)
    assert done.returncode == 0, done.stderr
    return folder / RUN


@pytest.fixture(scope="module")
def disturbed(tmp_path_factory, commands) -> Path:
    """Asked to stop in the first half, with its whole process group; killed in the second."""
    folder = tmp_path_factory.mktemp("disturbed")
    first = start(folder)
    wait_until(first, reached(folder / RUN, 11))
    os.killpg(first.pid, signal.SIGSTOP)  # it waits for the second one to be refused
    second = commands(folder, *COMMAND[1:], **THREADS)
    assert (second.returncode, len(second.stderr.strip().splitlines())) == (2, 1)
    assert "in use by another process" in second.stderr
    os.killpg(first.pid, signal.SIGTERM)
    os.killpg(first.pid, signal.SIGCONT)
    status, errors = end(first)
    assert status == 75, errors
    assert json.loads((folder / RUN / "run.json").read_text())["status"] == "interrupted"
    assert "the same command goes on" in errors
    third = start(folder)
    wait_until(third, reached(folder / RUN, 24))
    os.killpg(third.pid, signal.SIGKILL)
    end(third)
    last = commands(folder, *COMMAND[1:], **THREADS)
    assert last.returncode == 0, last.stderr
    return folder / RUN


def test_ctrl_c_is_one_line_and_status_130(tmp_path):
    """Of the whole group, as a terminal sends it; then the same command goes on."""
    running = start(tmp_path)
    wait_until(running, reached(tmp_path / RUN, 8))
    os.killpg(running.pid, signal.SIGINT)
    status, errors = end(running)
    assert status == 130, errors
    told = [line for line in errors.splitlines() if line and "%|" not in line]  # without the bar
    assert told == ["run.py: interrupted"]
    assert json.loads((tmp_path / RUN / "run.json").read_text())["status"] == "interrupted"


@pytest.mark.parametrize("name", ["last", "best"])
def test_the_final_weights_are_the_same_bit_for_bit(undisturbed, disturbed, name):
    weights = [run / name / "model.safetensors" for run in (undisturbed, disturbed)]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_the_log_has_each_step_once(undisturbed, disturbed):
    """But for the step at which it was asked to stop, whose row counts fewer steps."""
    was, now = (
        {row["step"]: row["train/reconstruction"] for row in rows if "train/loss" in row}
        for rows in map(read_log, (undisturbed, disturbed))
    )
    steps = [row["step"] for row in read_log(disturbed) if "train/loss" in row]
    assert steps == sorted(set(steps))
    assert set(was) <= set(now)
    assert sum(was[step] != now[step] for step in was) <= 1
    assert len(set(now) - set(was)) <= 1


def read_log(run_dir: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]


def test_no_state_but_the_last_two_is_kept(undisturbed, disturbed):
    for run_dir in (undisturbed, disturbed):
        kept = sorted(path.name for path in (run_dir / "states").iterdir())
        assert kept == ["step000000035", "step000000036"]


def test_one_process_at_a_time_holds_a_folder(tmp_path):
    assert not is_locked(tmp_path)
    with folder_lock(tmp_path):
        assert is_locked(tmp_path)
        with pytest.raises(FolderInUseError, match="in use"), folder_lock(tmp_path):
            pass
        with pytest.raises(FolderInUseError, match="in use"):
            check_free(tmp_path)
    assert not is_locked(tmp_path)
    with folder_lock(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    check_free(tmp_path / "not" / "there")
    assert not (tmp_path / "not").exists()
    with pytest.raises(OSError, match=r"file/run cannot be written: .* is no folder"):
        check_free(tmp_path / "file" / "run")
    with (
        pytest.raises(OSError, match="file/run cannot be written"),
        folder_lock(tmp_path / "file" / "run"),
    ):
        pass
