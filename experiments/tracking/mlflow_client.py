"""Opening an MLflow store: a server, a database or a file."""

import fcntl
import logging
import math
import os
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dcvae.runs import RunError
from experiments.tracking.address import SQLITE, public_address, without_secrets

BATCH = {"metrics": 1000, "params": 100, "tags": 100}  # at most in one call of MLflow
PATIENCE_VARIABLE = "DCVAE_MLFLOW_PATIENCE"
PATIENCE = 30.0  # seconds that the end of a run, and the command `sync`, wait for an answer
UPLOADS = ("log_artifact", "log_model_artifacts")  # whose second argument is a path
SLOWEST = 1e6  # bytes a second at which files are sent
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


def open_store(uri: str, patience: float | None = None) -> Any:
    """A client of the store, which is made if need be; any Exception where that fails.

    With a `patience` in seconds it is a PatientClient, unless the store is a file.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    with importing:
        from mlflow import MlflowClient
    if patience is not None and urlsplit(uri).netloc:
        return PatientClient(partial(open_store, uri), public_address(uri), patience)
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


class PatientClient:
    """A client whose every call is answered within its patience, or is a SilentStoreError.

    A database has no limit of its own, and a server that hangs would have each call wait for as
    long. A call that is given up goes on in a daemon thread, and none is begun after it.
    """

    def __init__(self, opened: Callable[[], Any], address: str, patience: float) -> None:
        """`opened` gives MLflow's client, and may have to wait; `patience` is in seconds."""
        self.address, self.patience, self.silent = address, patience, False
        self.client = self.within(patience, opened)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.client, name)
        return partial(self.call, name, method) if callable(method) else method

    def call(self, name: str, method: Callable[..., Any], *values: Any, **named: Any) -> Any:
        """What the client's method gives; sending a file may take as long as it is."""
        sending = size_of(Path(values[1])) / SLOWEST if name in UPLOADS else 0.0
        return self.within(self.patience + sending, partial(method, *values, **named))

    def within(self, seconds: float, ask: Callable[[], Any]) -> Any:
        """What `ask` gives or raises; SilentStoreError where so many seconds bring neither."""
        answer: Future[Any] = Future()

        def answer_it() -> None:
            try:
                answer.set_result(ask())
            except Exception as error:  # whatever a store or a server can raise
                answer.set_exception(error)

        if not self.silent:
            threading.Thread(target=answer_it, daemon=True).start()
            self.silent = not wait([answer], seconds).done
        if self.silent:
            raise SilentStoreError(f"{self.address} does not answer within {self.patience:g} s")
        return answer.result()


def size_of(path: Path) -> int:
    """Bytes of a file, or of all in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


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
