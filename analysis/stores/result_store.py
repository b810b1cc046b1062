"""The rows of one evaluator for one run, on disk as they come: an interrupted analysis resumes."""

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from analysis.outputs.table import Row
from dcvae.utils.files import replace_text
from dcvae.utils.jsonl import append_lines, read_lines

Key = dict[str, Any]  # what the rows depend on: equal keys mean equal rows


class ResultStore:
    """RUN/analysis/parts/<evaluator>.jsonl while it is measured, then .json.

    The former has the key as its first line and the rows of one batch on each other line, so
    that a line cut short by a crash loses that batch alone. The latter holds key, facts (the
    time it took) and all rows, and is written whole or not at all.
    """

    def __init__(self, folder: Path, evaluator: str, key: Key) -> None:
        self.key: Key = json.loads(json.dumps(key))  # as it will be read back
        self.growing = folder / f"{evaluator}.jsonl"
        self.finished = folder / f"{evaluator}.json"

    def is_finished(self) -> bool:
        """Whether all rows for this key are there."""
        return self.stored_key() == self.key

    def stored_key(self) -> Key:
        """The key of the finished rows, whatever it is."""
        key: Key = read_part(self.finished).get("key", {})
        return key

    def facts(self) -> dict[str, Any]:
        """What was noted with the finished rows."""
        facts: dict[str, Any] = read_part(self.finished).get("facts", {})
        return facts

    def rows(self) -> list[Row]:
        """The finished rows."""
        return [to_row(row) for row in read_part(self.finished).get("rows", [])]

    def resume(self) -> list[Row]:
        """The clips' rows that an interrupted measurement of this key left; else start with none.

        Those of the whole set go: they come again at the end, whatever clips are left.
        """
        lines = read_lines(self.growing)
        if not lines or lines[0] != self.key:
            self.restart()
            return []
        batches = [[row for row in map(to_row, line) if row.clip] for line in lines[1:]]
        self.rewrite([self.key, *([to_json(row) for row in batch] for batch in batches)])
        return [row for batch in batches for row in batch]

    def restart(self) -> None:
        """Begin with no rows."""
        self.rewrite([self.key])

    def rewrite(self, lines: list[Any]) -> None:
        """The growing file with these lines, without one that was cut short."""
        replace_text(self.growing, "".join(json.dumps(line) + "\n" for line in lines))

    def append(self, rows: Iterable[Row]) -> None:
        """Add the rows of one batch; they are on disk when this returns."""
        append_lines(self.growing, [[to_json(row) for row in rows]])

    def finish(self, rows: Iterable[Row], facts: dict[str, Any]) -> None:
        """All rows in their final file; the growing one goes."""
        content = {"key": self.key, "facts": facts, "rows": [to_json(row) for row in rows]}
        replace_text(self.finished, json.dumps(content, indent=None) + "\n")
        self.growing.unlink(missing_ok=True)


def to_json(row: Row) -> list[Any]:
    """A NaN is written as null: JSON has none."""
    return [*row[:3], row.value if math.isfinite(row.value) else None, row.reason]


def to_row(values: list[Any]) -> Row:
    clip, condition, metric, value, reason = values
    return Row(clip, condition, metric, math.nan if value is None else float(value), reason)


def read_part(path: Path) -> dict[str, Any]:
    """The object in a finished part; {} where there is none or it is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
