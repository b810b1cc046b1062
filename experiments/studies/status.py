"""What becomes of a run, read from its folder."""

from pathlib import Path

from dcvae.runs import ANALYSIS, RECORD, SUMMARY, read_record
from dcvae.utils.locks import is_locked
from experiments.training.preemption import EXIT_STATUS, SIGNALS

NEW = "new"
HALF = "half-finished"
WAITING = "waiting"
RUNNING = "running"
ANALYSING = "analysing"
ELSEWHERE = "running elsewhere"
FINISHED = "finished"
SKIPPED = "finished before"
INTERRUPTED = "interrupted"
FAILED = "failed"

SOFT_ENDS = (EXIT_STATUS, *(-number for number in SIGNALS))


def state_of(run_dir: Path, analysed: bool) -> str:
    """NEW, HALF or FINISHED, which takes the analysis too where there shall be one."""
    if read_record(run_dir) is None:
        return NEW
    return FINISHED if is_trained(run_dir) and (is_analysed(run_dir) or not analysed) else HALF


def is_trained(run_dir: Path) -> bool:
    return (read_record(run_dir) or {}).get("status") == "finished"


def is_analysed(run_dir: Path) -> bool:
    """Whether the analysis is newer than the last checkpoint."""
    summary, weights = run_dir / ANALYSIS / SUMMARY, run_dir / "last/model.safetensors"
    if not (summary.is_file() and weights.is_file()):
        return False
    return summary.stat().st_mtime_ns >= weights.stat().st_mtime_ns


def is_taken(run_dir: Path) -> bool:
    """Whether some process trains or scores in the folder now."""
    return is_locked(run_dir) or is_locked(run_dir / ANALYSIS)


def written(run_dir: Path) -> int:
    """When run.json was written, in ns; 0 where there is none."""
    path = run_dir / RECORD
    return path.stat().st_mtime_ns if path.is_file() else 0


def outcome_of(run_dir: Path, status: int, before: int) -> str:
    """What an exit status means, with `written` of before the start.

    The launcher of several processes exits with 1 whatever they did: then run.json says it, if
    the processes wrote it.
    """
    if status == 0:
        return FINISHED
    if status in SOFT_ENDS:
        return INTERRUPTED
    if written(run_dir) != before:
        said = (read_record(run_dir) or {}).get("status")
        if said in (FINISHED, INTERRUPTED):
            return str(said)
    return ELSEWHERE if is_taken(run_dir) else FAILED
