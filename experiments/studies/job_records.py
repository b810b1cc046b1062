"""What a study must remember when it is killed: the ids of its jobs and the GPUs they had."""

import os
from pathlib import Path
from typing import Any

from dcvae.runs import read_object
from dcvae.utils.entries import MAPPING, check_entries
from dcvae.utils.files import replace_json


class JobRecords:
    """Entries by the run's folder, in a JSON file that is whole at any moment."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: dict[str, dict[str, Any]] = {}
        if os.path.lexists(path):
            try:
                self.entries = read_object(path)
                for entry in self.entries.values():
                    check_entries({"job": entry or ""}, {"job": MAPPING})
            except ValueError as error:
                raise ValueError(f"{path} is damaged ({error}): remove it") from error

    def get(self, run_dir: Path) -> dict[str, Any]:
        return self.entries.get(str(run_dir), {})

    def put(self, run_dir: Path, entry: dict[str, Any]) -> None:
        self.entries[str(run_dir)] = entry
        self.write()

    def drop(self, run_dir: Path) -> None:
        if self.entries.pop(str(run_dir), None) is not None:
            self.write()

    def write(self) -> None:
        replace_json(self.path, self.entries)
