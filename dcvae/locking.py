"""One process at a time in a folder: a lock that goes with the process, however it ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

NAME = ".lock"


class FolderInUseError(ValueError):
    """Another process works in the folder."""


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold `folder` for this block; FolderInUseError, at once, where another process holds it."""
    lock = FileLock(folder / NAME, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise FolderInUseError(
            f"{folder} is in use by another process: wait until it has ended"
        ) from None
    try:
        yield
    finally:
        lock.release()


def is_locked(folder: Path) -> bool:
    """Whether a process holds `folder` now."""
    if not (folder / NAME).exists():
        return False
    try:
        with folder_lock(folder):
            return False
    except FolderInUseError:
        return True
