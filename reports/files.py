"""Reading files of the run folders; what is wrong with one is told in one line."""

import hashlib
import json
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
