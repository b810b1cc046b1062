"""One process at a time in a folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

NAME = ".lock"


class FolderInUseError(ValueError):
    """A folder that another process works in."""


@contextmanager
def folder_lock(folder: Path, patience: float = 0.0, name: str = NAME) -> Iterator[None]:
    """Hold a folder, which is made if need be; the lock ends with the process, however it ends.

    Locks of other names are held apart from each other.

    FolderInUseError where another process holds it for `patience` seconds, OSError where it cannot
    be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / name, timeout=patience).acquire()
    except Timeout:
        raise FolderInUseError(f"{folder} is in use by another process") from None
    except OSError as error:
        raise OSError(f"{folder} cannot be written: {error.strerror or error}") from error
    with lock:
        yield


def check_free(folder: Path) -> None:
    """What `folder_lock` would raise just now; nothing is made."""
    if is_locked(folder):
        raise FolderInUseError(f"{folder} is in use by another process")
    check_writable(folder)


def check_writable(folder: Path) -> None:
    """OSError where the folder, or the nearest that is there, takes no files."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise OSError(f"{folder} cannot be written: {there} is no folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise OSError(f"{folder} cannot be written: {there} is read-only")


def is_locked(folder: Path) -> bool:
    """Whether another process holds the folder just now."""
    if not (folder / NAME).exists():
        return False
    try:
        with folder_lock(folder):
            return False
    except FolderInUseError:
        return True
