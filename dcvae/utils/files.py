"""Files and folders written whole or not at all, whenever the process or the machine stops."""

import errno
import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

MOST_NESTED = 100  # mappings and lists within each other


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`; it takes `path`'s place when the block ends well.

    When the block fails the temporary file goes and whatever was at `path` stays. The folder
    is made if need be. OSError (a full disk, no permission) names the file.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        if target.exists() and not target.is_file():  # root could put a file in a device's place
            raise OSError("there is something else than a file")
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        fsync(temporary)
        os.replace(temporary, target)
        fsync(target.parent)
    except OSError as error:
        raise OSError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):  # it is gone, or its folder is none: what failed says why
            temporary.unlink()


def replace_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file in UTF-8, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def replace_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write a JSON file, whole or not at all."""
    replace_text(path, json.dumps(value, indent=2) + "\n")


def read_json(path: Path) -> Any:
    """The value in a JSON file; ValueError, which names the file, where it is damaged.

    Nesting has an end: what walks through the value calls itself, and would not come back.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        level = [value]
        for _ in range(MOST_NESTED):
            level = [one for outer in level for one in inner_values(outer)]
            if not level:
                return value
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    raise ValueError(f"{path} is damaged: it is nested more than {MOST_NESTED} deep")


def inner_values(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


@contextmanager
def replacing_folder(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """Give an empty folder beside `path`; it takes `path`'s place when the block ends well.

    Its name is the same in every process, so that several can fill it: see `temporary_folder`.
    """
    target, temporary = Path(folder), temporary_folder(folder)
    replaced = target.with_name(f".{target.name}.old")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        yield temporary
        for path in (*temporary.rglob("*"), temporary):
            if not path.is_symlink():
                fsync(path)
        if target.exists():
            os.replace(target, replaced)
        os.replace(temporary, target)
        fsync(target.parent)
    except OSError as error:
        raise OSError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)


def temporary_folder(path: str | os.PathLike[str]) -> Path:
    """Where `replacing_folder` gathers what will be `path`."""
    target = Path(path)
    return target.with_name(f".{target.name}.part")


def fsync(path: Path) -> None:
    """Have the disk take what was written to a file, or which names a folder holds.

    Without it a machine that loses its power can keep a new name and not what it stands for.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that cannot
            raise
    finally:
        os.close(descriptor)


def is_own_file(path: Path, folder: Path) -> bool:
    """Whether there is a regular file at a path inside a folder, and no link on the way to it.

    A link in a folder that came from elsewhere can point to any file of the reader's.
    """
    if not path.is_file() or not path.is_relative_to(folder):
        return False
    return path.resolve() == folder.resolve() / path.relative_to(folder)


def files_sha256(*paths: Path) -> str:
    """Of the files' bytes one after the other, read in blocks."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def file_crc32(path: Path) -> int:
    """Of a file's bytes, read in blocks: against accident, at a third of what SHA-256 takes."""
    checksum = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            checksum = zlib.crc32(block, checksum)
    return checksum
