"""Opening an MLflow store: a server, a database or a file."""

import fcntl
import logging
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dcvae.runs import RunError

SQLITE = "sqlite:///"
DEFAULT_URI = "sqlite:///mlflow.db"
BATCH = {"metrics": 1000, "params": 100, "tags": 100}  # at most in one call of MLflow
URI_VARIABLE = "MLFLOW_TRACKING_URI"
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


def require_store(uri: str, folder: Path) -> None:
    """RunError where the file is gone that `folder` was tracked in, before MLflow begins one."""
    path = Path(uri.removeprefix(SQLITE))
    if uri.startswith(SQLITE) and not path.is_file():
        raise RunError(
            f"{folder} was tracked in {path}, which is not here: start in the folder of the"
            f" training, or set {URI_VARIABLE}"
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


def first_line(error: Exception) -> str:
    """What an error says, or is called if it says nothing; of a failed request, its cause."""
    line = (str(error).splitlines() or [type(error).__name__])[0]
    cause = re.search(r"\(Caused by (.*)\)$", line)
    return cause[1] if cause else line


def hide_password(uri: str) -> str:
    """A store's address as it may be shown."""
    return re.sub(r"(://[^/@:]*):[^/@]*@", r"\1:***@", uri)


def quieten() -> None:
    """Leave it to us to say that a store fails."""
    logging.getLogger("mlflow").setLevel(logging.ERROR)
