"""Reading files of the run folders, where what is wrong is told in one line, and writing."""

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any


class ReportError(ValueError):
    """Nothing to report on, or a file that cannot be read; the message says what to do."""


def read_json(path: Path) -> dict[str, Any]:
    """An object; ReportError names a file that holds none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ReportError(f"{path} is damaged: {error}") from error
    if not isinstance(value, dict):
        raise ReportError(f"{path} is damaged: it holds no object")
    return value


def sha256(path: Path) -> str:
    """Of the file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write(path: Path, text: str) -> None:
    """The file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, suffix=".part", delete=False
    ) as file:
        temporary = Path(file.name)
        try:
            file.write(text)
            file.close()
            temporary.chmod(0o644)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
