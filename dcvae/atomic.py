"""Files and folders written whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


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
        os.replace(temporary, target)
    except OSError as error:
        raise OSError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):  # it is gone, or its folder is none: what failed says why
            temporary.unlink()


@contextmanager
def replacing_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give an empty folder beside `path`; it takes `path`'s place when the block ends well.

    Its name is the same in every process, so that several can fill it: see `temporary_folder`.
    """
    target, temporary = Path(path), temporary_folder(path)
    replaced = target.with_name(f".{target.name}.old")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        yield temporary
        if target.exists():
            os.replace(target, replaced)
        os.replace(temporary, target)
    except OSError as error:
        raise OSError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)


def temporary_folder(path: str | os.PathLike[str]) -> Path:
    """Where `replacing_folder` gathers what will be `path`."""
    target = Path(path)
    return target.with_name(f".{target.name}.part")
