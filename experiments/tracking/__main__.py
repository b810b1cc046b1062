"""python -m experiments.tracking sync FOLDER...: send what MLflow lacks of runs and studies;
python -m experiments.tracking ui: MLflow's pages.
"""

import argparse
import math
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from dcvae.utils.errors import ended_by_interrupts, one_line, user_errors

with ended_by_interrupts():
    from dcvae.runs import STATISTICS, RunError, require_record
    from dcvae.utils.locks import is_locked
    from experiments.tracking.address import DEFAULT_URI, URI_VARIABLE, Store, recorded_store
    from experiments.tracking.mlflow_analysis import send_study
    from experiments.tracking.mlflow_client import (
        SilentStoreError,
        first_line,
        quieten,
        read_patience,
    )
    from experiments.tracking.mlflow_sync import NEEDED, MlflowSync
    from experiments.tracking.mlflow_ui import show

TIMEOUT_VARIABLE = "MLFLOW_HTTP_REQUEST_TIMEOUT"  # whole seconds
DAY = 86400
STATUS = {"finished": "FINISHED", "failed": "FAILED"}  # all others were stopped: KILLED
DESCRIPTION = f"""\
Send to MLflow what it lacks of runs that ended: the run itself, params, tags, metrics, pictures,
sounds, checkpoints, analysis; and a study's tables and verdicts, to the parent of its runs and to
them. What is there is not sent again. The store is --tracking-uri, else {URI_VARIABLE}, else
{DEFAULT_URI} in the current folder: a store that run.json names is used where it is that one."""


def sync(folder: Path, store: Store) -> str:
    """Bring the copy of a run, or of what a study found, up to date; one line on what was sent.

    ValueError or OSError, one line, where the folder is no run's or in use, or the store fails.
    """
    send = sync_study if (folder / STATISTICS).is_file() else sync_run
    try:
        return send(folder, store)
    except RunError:
        raise
    except Exception as error:  # whatever a store, a server or a disk can raise
        reason = first_line(error, store.uri)
        raise RunError(f"{folder}: {store.address} fails: {reason}") from error


def sync_study(folder: Path, store: Store) -> str:
    """To its tracked runs and their parents."""
    return f"{folder}: {describe(send_study(folder, store))} {store.address}"


def sync_run(run_dir: Path, store: Store) -> str:
    """To its own run in the store, which is made where there is none."""
    record = require_record(run_dir, *NEEDED)
    if recorded := recorded_store(record.get("mlflow")):
        store.check(recorded[0], run_dir)
    if is_locked(run_dir):
        raise RunError(f"{run_dir} is being trained, and sends what it has by itself")
    status = STATUS.get(record["status"], "KILLED")
    sent = MlflowSync(run_dir, store.uri, read_patience()).bring_up_to_date(status)
    return f"{run_dir}: {describe(sent)} {store.address}"


def describe(sent: Counter[str]) -> str:
    """What was sent, as in "sent 3 rows, 2 files to", or that there was nothing."""
    if not sent:
        return "nothing to send to"
    return f"sent {', '.join(f'{count} {what}' for what, count in sent.items())} to"


def sync_all(folders: Sequence[Path], store: Store) -> int:
    """Folder by folder, each with its line; how many failed, which does not end the others.

    SilentStoreError where the store does not answer at all.
    """
    failed = 0
    for folder in folders:
        try:
            print(sync(folder, store), flush=True)
        except SilentStoreError:
            raise
        except (ValueError, OSError) as error:
            print(f"tracking: {one_line(error)}", file=sys.stderr)
            failed += 1
    return failed


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.tracking")
    commands = parser.add_subparsers(dest="command", required=True)
    asked = commands.add_parser(
        "sync", help="send to MLflow what it lacks", description=DESCRIPTION
    )
    asked.add_argument(
        "folders", nargs="+", type=Path, metavar="FOLDER", help="a run's or a study's"
    )
    shown = commands.add_parser(
        "ui", help="print the addresses of the studies' views, and serve MLflow's pages"
    )
    shown.add_argument("--port", type=int, default=5000, help="on the loopback address")
    for one in (asked, shown):
        one.add_argument("--tracking-uri", metavar="URI", help="the store")
    options = parser.parse_args()
    quieten()
    with user_errors("tracking"):
        if options.command == "ui":
            show(Store.chosen(options.tracking_uri), options.port)
            return
        # what is given up ends soon after, or the process would wait for MLflow's own threads
        os.environ.setdefault(TIMEOUT_VARIABLE, str(math.ceil(min(read_patience(), DAY)) + 1))
        failed = sync_all(options.folders, Store.chosen(options.tracking_uri))
    if failed:
        raise SystemExit(2)


if __name__ == "__main__":
    main()
