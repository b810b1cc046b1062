"""Opening an MLflow store: a server, a database or a file."""

import fcntl
import logging
import math
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dcvae.runs import RunError
from experiments.tracking.address import SQLITE, Store, public_address, without_secrets

BATCH = {"metrics": 1000, "params": 100, "tags": 100}  # at most in one call of MLflow
PATIENCE_VARIABLE = "DCVAE_MLFLOW_PATIENCE"
PATIENCE = 30.0  # seconds that the end of a run, and the command `sync`, wait for MLflow
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",  # MLflow announces every table of a new store
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # the sync tries again itself, and asks before
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",  # seconds
}

# A process that is forked while a thread imports could never import the same module.
importing = threading.Lock()
os.register_at_fork(
    before=importing.acquire,
    after_in_parent=importing.release,
    after_in_child=importing.release,
)


def open_store(uri: str) -> Any:
    """A client of the store, which is made if need be; any Exception where that fails."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    with importing:
        from mlflow import MlflowClient
    if "://" in uri and not uri.startswith("http"):
        try_database(uri)
    with one_at_a_time(uri):
        return MlflowClient(uri)


def read_patience() -> float:
    """Seconds; ValueError where the variable says something else."""
    said = os.environ.get(PATIENCE_VARIABLE) or PATIENCE
    try:
        patience = float(said)
    except ValueError:
        patience = math.nan
    if not 0 <= patience <= threading.TIMEOUT_MAX:
        raise ValueError(f"{PATIENCE_VARIABLE} is a number of seconds, not {said!r}")
    return patience


class SilentStoreError(RunError):
    """A store that does not answer: what was to be sent to it has to wait."""


def await_answer(store: Store, patience: float) -> None:
    """Ask a store elsewhere once; SilentStoreError where so many seconds bring no answer.

    What fails is an Exception of the store's. A database has no limit of its own.
    """
    if store.answers or not urlsplit(store.uri).netloc:
        return
    failed: list[Exception] = []

    def ask() -> None:
        try:
            open_store(store.uri).search_experiments(max_results=1)
        except Exception as error:  # whatever a store or a server can raise
            failed.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(patience)
    if asking.is_alive():
        raise SilentStoreError(f"{store.address} does not answer within {patience:g} s")
    if failed:
        raise failed[0]
    store.answers = True


def check_artifacts(uri: str, location: str) -> None:
    """RunError where a server names a place on this machine's disk for what it is sent.

    The client would write there. A store that is a file or a database is its user's own.
    """
    if uri.startswith("http") and urlsplit(location).scheme in ("", "file"):
        raise RunError(
            f"the server {public_address(uri)} would have files written to {location} on this"
            " machine: start it with --serve-artifacts, so that it takes them itself"
        )


def try_database(uri: str) -> None:
    """Connect once: MLflow would try a database that is not there for an hour."""
    if uri.startswith(SQLITE):
        Path(uri.removeprefix(SQLITE)).absolute().parent.mkdir(parents=True, exist_ok=True)
    with importing:
        import sqlalchemy
    try:
        engine = sqlalchemy.create_engine(uri)
    except sqlalchemy.exc.ArgumentError:
        return  # a store of another kind, of which MLflow knows
    try:
        engine.connect().close()
    finally:
        engine.dispose()


@contextmanager
def one_at_a_time(uri: str) -> Iterator[None]:
    """Of the processes that open a store on disk, let one in: MLflow fails where two make tables.

    The lock is on the store's folder, so it leaves no file, and ends with the process. A folder
    that cannot be locked is not; a server sees to it itself.
    """
    folder = Path(uri.removeprefix(SQLITE)).absolute().parent
    if not uri.startswith(SQLITE) or not folder.is_dir():
        yield
        return
    # takes a second, in which the others would wait
    with importing:
        import mlflow.store.tracking.sqlalchemy_store  # noqa: F401

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some file systems know no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def first_line(error: Exception, uri: str) -> str:
    """What an error of the store says, or is called; of a failed request, its cause.

    What the address keeps secret is left out.
    """
    line = (str(error).splitlines() or [type(error).__name__])[0]
    cause = re.search(r"\(Caused by (.*)\)$", line)
    return without_secrets(cause[1] if cause else line, uri)


def quieten() -> None:
    """Leave it to us to say that a store fails."""
    logging.getLogger("mlflow").setLevel(logging.ERROR)
