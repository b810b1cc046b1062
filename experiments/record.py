"""What training notes in run.json: when, of which commit, and one configuration for a folder."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dcvae.runs import RunError
from experiments.flattening import flatten


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def epoch(moment: str) -> float:
    """What `now` gave, as seconds of the epoch."""
    return datetime.fromisoformat(moment).timestamp()


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
