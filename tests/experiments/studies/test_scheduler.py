"""The scheduler with real processes: what comes back, what is skipped, what ends the others."""

import os
import subprocess
import sys
import threading
import time

from dcvae.utils.locks import folder_lock
from experiments.studies.scheduler import Stop
from experiments.studies.status import (
    ELSEWHERE,
    FAILED,
    FINISHED,
    INTERRUPTED,
    SKIPPED,
    WAITING,
)
from experiments.studies.summary import exit_status, summarise

GOOD = "write('finished')"
BAD = "print('no such thing'); sys.exit(1)"
LONG = "write('running')\ntime.sleep(60)"


def starts(job) -> list[str]:
    return (job.run_dir / "starts").read_text().splitlines()


def wait_for(path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.05)


def test_an_interrupted_run_comes_back_and_a_failed_one_does_not(make_job, run_jobs):
    again = make_job("again", "save() if times == 1 else write('finished')")
    killed = make_job("killed", "os.kill(os.getpid(), 10) if times == 1 else write('finished')")
    bad, good = make_job("bad", BAD), make_job("good", GOOD)
    entries = run_jobs([again, killed, bad, good])
    assert [entry.state for entry in entries] == [FINISHED, FINISHED, FAILED, FINISHED]
    assert [len(starts(job)) for job in (again, killed, bad, good)] == [2, 2, 1, 1]
    assert exit_status(entries, Stop()) == 1
    said = summarise(entries, 1.0)
    assert "3 finished, 0 finished before, 1 failed" in said
    assert "no such thing" in said


def test_a_run_that_is_interrupted_for_ever_without_a_step_is_given_up(make_job, run_jobs):
    stuck = make_job("stuck", "sys.exit(75)")
    moving = "(folder / 'metrics.jsonl').write_text(json.dumps({'step': times}))\n"
    moves = make_job("moves", moving + "sys.exit(75) if times < 8 else write('finished')")
    assert [entry.state for entry in run_jobs([stuck, moves])] == [FAILED, FINISHED]
    assert [len(starts(job)) for job in (stuck, moves)] == [5, 8]


def test_the_launchers_status_is_read_from_run_json(make_job, run_jobs):
    """It turns every status into 1; what an earlier start left in run.json counts for nothing."""
    launched = "write('interrupted' if times == 1 else 'finished'); sys.exit(1)"
    stale = "write('interrupted') if times == 1 else None; sys.exit(1)"
    jobs = [make_job("launched", launched), make_job("stale", stale)]
    entries = run_jobs(jobs)
    assert [entry.state for entry in entries] == [FINISHED, FAILED]
    assert [len(starts(job)) for job in jobs] == [2, 2]


def test_what_is_finished_starts_no_process(make_job, run_jobs, finished):
    job = make_job("done", GOOD)
    finished("done")
    (entry,) = run_jobs([job])
    assert entry.state == SKIPPED
    assert not (job.run_dir / "starts").exists()


def test_a_trained_run_is_only_analysed_and_again_after_a_newer_checkpoint(
    make_job, run_jobs, finished
):
    folder = finished("half")
    summary, weights = folder / "analysis/analysis.json", folder / "last/model.safetensors"
    for path in (summary, weights):
        path.parent.mkdir()
    weights.touch()
    script = f"import pathlib; pathlib.Path({str(summary)!r}).touch()"
    job = make_job("half", GOOD, [sys.executable, "-c", script])
    assert run_jobs([job])[0].state == FINISHED
    assert not (folder / "starts").exists()
    assert run_jobs([job])[0].state == SKIPPED
    later = summary.stat().st_mtime + 10
    os.utime(weights, (later, later))
    assert run_jobs([job])[0].state == FINISHED


def test_fail_fast_lets_the_others_save(make_job, run_jobs):
    bad = make_job("bad", "time.sleep(1); sys.exit(1)")
    long, never = make_job("long", LONG), make_job("never", GOOD)
    entries = run_jobs([bad, long, never], at_once=2, fail_fast=True)
    assert [entry.state for entry in entries] == [FAILED, INTERRUPTED, WAITING]
    assert '"interrupted"' in (long.run_dir / "run.json").read_text()


def test_a_stop_reaches_the_whole_group_and_waits_until_it_saved(make_job, run_jobs):
    child = "import subprocess\nsubprocess.Popen(['sleep', '61'])\n" + LONG
    job, stop = make_job("long", child), Stop()

    def interrupt() -> None:
        wait_for(job.run_dir / "run.json")
        stop.signal = 15

    threading.Thread(target=interrupt).start()
    (entry,) = run_jobs([job], stop)
    assert entry.state == INTERRUPTED
    assert '"interrupted"' in (job.run_dir / "run.json").read_text()
    left = subprocess.run(["pgrep", "-fx", "sleep 61"], capture_output=True, text=True, check=False)
    assert left.stdout == ""
    assert exit_status([entry], stop) == 75
    stop.signal = 2
    assert exit_status([entry], stop) == 130


def test_jobs_at_once_have_gpus_of_their_own(make_job, run_jobs):
    jobs = [make_job(f"job{n}", "time.sleep(0.5); write('finished')") for n in range(4)]
    run_jobs(jobs, at_once=2, shares=[["0", "1"], ["2", "3"]])
    used = [starts(job)[0] for job in jobs]
    assert set(used[:2]) == set(used[2:]) == {"0,1", "2,3"}


def test_a_run_that_goes_on_elsewhere_is_waited_for(make_job, run_jobs):
    """It keeps its place: the next run would share its GPU."""
    job, other = make_job("held", GOOD), make_job("other", GOOD)
    job.run_dir.mkdir(parents=True)
    shown, release = [], threading.Event()

    def hold() -> None:
        with folder_lock(job.run_dir):
            held.set()
            release.wait(30)

    def show(entries) -> None:
        shown.append([entry.state for entry in entries])
        if len(shown) == 5:
            assert not (other.run_dir / "starts").exists()
            release.set()

    held = threading.Event()
    threading.Thread(target=hold).start()
    held.wait(30)
    entries = run_jobs([job, other], show=show)
    assert shown[0] == [ELSEWHERE, WAITING]
    assert [entry.state for entry in entries] == [FINISHED, FINISHED]
