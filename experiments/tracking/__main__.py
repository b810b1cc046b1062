"""python -m experiments.tracking sync RUN_DIR...: send what MLflow lacks of runs that ended."""

import argparse
import os
from collections import Counter
from pathlib import Path

from dcvae.runs import RunError, require_record
from dcvae.utils.errors import user_errors
from dcvae.utils.locks import is_locked
from experiments.tracking.mlflow_client import (
    DEFAULT_URI,
    SQLITE,
    URI_VARIABLE,
    first_line,
    hide_password,
    quieten,
)
from experiments.tracking.mlflow_sync import MlflowSync

TIMEOUT = "60"  # seconds a request: nobody's training waits
STATUS = {"finished": "FINISHED", "failed": "FAILED"}  # all others were stopped: KILLED
DESCRIPTION = f"""\
Send to MLflow what it lacks of runs that ended: the run itself, params, tags, metrics, pictures,
sounds, checkpoints. What is there is not sent again. The store is {URI_VARIABLE}, else the one that
run.json names, else {DEFAULT_URI} in the current folder."""


def sync(run_dir: Path) -> str:
    """Bring the run's copy up to date; one line on what was sent.

    ValueError or OSError, one line, where the folder is no run's or in use, or the store fails.
    """
    record = require_record(run_dir)
    recorded = (record.get("mlflow") or {}).get("tracking_uri")
    uri = os.environ.get(URI_VARIABLE) or recorded or DEFAULT_URI
    path = Path(uri.removeprefix(SQLITE))
    if uri == recorded and uri.startswith(SQLITE) and not path.is_file():
        raise RunError(
            f"{run_dir} was tracked in {path}, which is not here: start in the folder of the"
            f" training, or set {URI_VARIABLE}"
        )
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
    asked.add_argument("runs", nargs="+", type=Path, metavar="RUN_DIR")
    runs = parser.parse_args().runs
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", TIMEOUT)
    quieten()
    with user_errors("tracking"):
        for run_dir in runs:
            print(sync(run_dir), flush=True)


if __name__ == "__main__":
    main()
