"""run.json: what a run folder says of itself, so that analysis needs nothing of experiments."""

import json
import subprocess
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dcvae.atomic import replacing
from experiments.flattening import flatten

NAME = "run.json"
WRITING = threading.Lock()  # training writes from one thread, the mirror from another


class RunError(ValueError):
    """A run folder that cannot be used for what is asked."""


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def epoch(moment: str) -> float:
    """What `now` gave, as seconds of the epoch."""
    return datetime.fromisoformat(moment).timestamp()


def read_record(run_dir: Path) -> dict[str, Any] | None:
    """The record of a run folder, None where there is none yet."""
    path = run_dir / NAME
    if not path.is_file():
        return None
    try:
        record: dict[str, Any] = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise RunError(f"{path} is damaged ({error}); remove {run_dir} to start anew") from error
    if not isinstance(record, dict):
        raise RunError(f"{path} is damaged (it holds no object); remove {run_dir} to start anew")
    return record


def require_record(run_dir: Path) -> dict[str, Any]:
    """The record of a run folder; RunError where there is none."""
    record = read_record(run_dir)
    if record is None:
        raise RunError(f"{run_dir} is no run folder: it has no {NAME}")
    return record


def write_record(run_dir: Path, record: dict[str, Any]) -> None:
    """Write all but "mlflow": what `write_mlflow` noted stays, whatever `record` holds."""
    with WRITING:
        noted = (read_record(run_dir) or {}).get("mlflow")
        replace_record(run_dir, record | ({"mlflow": noted} if noted else {}))


def write_mlflow(run_dir: Path, known: dict[str, str]) -> None:
    """Note where the run is found in MLflow: its "tracking_uri" and "run_id"."""
    with WRITING:
        replace_record(run_dir, (read_record(run_dir) or {}) | {"mlflow": known})


def replace_record(run_dir: Path, record: dict[str, Any]) -> None:
    with replacing(run_dir / NAME) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n")


def check_same_config(run_dir: Path, record: dict[str, Any], config: dict[str, Any]) -> None:
    """RunError that names what differs: one folder never mixes two configurations."""
    was, now_is = flatten(record["config"]), flatten(config)
    changed = [name for name in {**was, **now_is} if was.get(name) != now_is.get(name)]
    if changed:
        name = changed[0]
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise RunError(
            f"{run_dir} holds a run with {name}={was.get(name)}, not {now_is.get(name)}{more}:"
            " give this one another place with runs_dir=FOLDER, or remove that folder"
        )


def git_commit() -> str:
    """The checkout's commit, marked where files were changed since; "unknown" outside one."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return described.stdout.strip()
