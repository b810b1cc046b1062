"""python -m experiments.tracking sync FOLDER...: send what MLflow lacks of runs and studies."""

import argparse
import os
from collections import Counter
from pathlib import Path

from dcvae.runs import STATISTICS, RunError, require_record
from dcvae.utils.errors import user_errors
from dcvae.utils.locks import is_locked
from experiments.tracking.mlflow_analysis import send_study
from experiments.tracking.mlflow_client import (
    DEFAULT_URI,
    URI_VARIABLE,
    first_line,
    hide_password,
    quieten,
    require_store,
)
from experiments.tracking.mlflow_sync import MlflowSync

TIMEOUT = "60"  # seconds a request: nobody's training waits
STATUS = {"finished": "FINISHED", "failed": "FAILED"}  # all others were stopped: KILLED
DESCRIPTION = f"""\
Send to MLflow what it lacks of runs that ended: the run itself, params, tags, metrics, pictures,
sounds, checkpoints, analysis; and a study's tables, to the parent of its runs. What is there is not
sent again. The store is {URI_VARIABLE}, else the one that run.json names, else {DEFAULT_URI} in the
current folder."""


def sync(folder: Path) -> str:
    """Bring the copy of a run, or of a study's tables, up to date; one line on what was sent."""
    return sync_study(folder) if (folder / STATISTICS).is_file() else sync_run(folder)


def sync_study(folder: Path) -> str:
    """To the parents of its tracked runs; ValueError or OSError where a store fails."""
    try:
        count = send_study(folder)
    except RunError:
        raise
    except Exception as error:  # whatever a store, a server or a disk can raise
        raise RunError(f"{folder}: MLflow fails: {first_line(error)}") from error
    parents = f"{count} parent run{'s' if count > 1 else ''}"
    return f"{folder}: " + (f"sent its tables to {parents}" if count else "nothing to send")


def sync_run(run_dir: Path) -> str:
    """Bring the run's copy up to date; one line on what was sent.

    ValueError or OSError, one line, where the folder is no run's or in use, or the store fails.
    """
    record = require_record(run_dir)
    recorded = (record.get("mlflow") or {}).get("tracking_uri")
    uri = os.environ.get(URI_VARIABLE) or recorded or DEFAULT_URI
    if uri == recorded:
        require_store(uri, run_dir)
    if is_locked(run_dir):
        raise RunError(f"{run_dir} is being trained, and sends what it has by itself")
    try:
        status = STATUS.get(record["status"], "KILLED")
        sent = MlflowSync(run_dir, uri).bring_up_to_date(status)
    except KeyError as error:
        raise RunError(f"{run_dir / 'run.json'} has no usable entry {error}") from error
    except Exception as error:  # whatever a store, a server or a disk can raise
        raise RunError(f"{run_dir}: {hide_password(uri)} fails: {first_line(error)}") from error
    return f"{run_dir}: {describe(sent)} {hide_password(uri)}"


def describe(sent: Counter[str]) -> str:
    """What was sent, as in "sent 3 rows, 2 files to", or that there was nothing."""
    if not sent:
        return "nothing to send to"
    return f"sent {', '.join(f'{count} {what}' for what, count in sent.items())} to"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.tracking")
    commands = parser.add_subparsers(dest="command", required=True)
    asked = commands.add_parser(
        "sync", help="send to MLflow what it lacks", description=DESCRIPTION
    )
    asked.add_argument(
        "folders", nargs="+", type=Path, metavar="FOLDER", help="a run's or a study's"
    )
    folders = parser.parse_args().folders
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", TIMEOUT)
    quieten()
    with user_errors("tracking"):
        for folder in folders:
            print(sync(folder), flush=True)


if __name__ == "__main__":
    main()
