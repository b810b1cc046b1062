"""What was found of each file, written as it is found, so that a killed indexing goes on."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Self

from dcvae.audio.io import AudioInfo, decoder_name

Found = AudioInfo | str


class Journal:
    """JSON lines that are only added to: a file with its size and time, and what it holds.

    A file that changed since, and a line that was cut off, count for nothing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known: dict[str, tuple[list[int], Found]] = {}

    def __enter__(self) -> Self:
        """Read what is there, and go on after its last whole line."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        whole = 0
        if self.path.is_file():
            with self.path.open("rb") as lines:
                for line in lines:
                    if not line.endswith(b"\n") or not self._learn(line):
                        break
                    whole += len(line)
        self.file = self.path.open("ab")
        self.file.truncate(whole)
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def _learn(self, line: bytes) -> bool:
        try:
            name, decoder, state, found = json.loads(line)
            if decoder == decoder_name():  # another one reads other files
                known = found if isinstance(found, str) else AudioInfo(**found)
                self.known[name] = state, known
        except (ValueError, TypeError):
            return False
        return True

    def find(self, file: Path) -> Found | None:
        """What is known of a file as it is now."""
        state, found = self.known.get(str(file), (None, None))
        return found if found is not None and state == state_of(file) else None

    def add(self, file: Path, found: Found) -> None:
        """Keep what was found; a killed process loses none of it."""
        told = found if isinstance(found, str) else asdict(found)
        line = json.dumps([str(file), decoder_name(), state_of(file), told])
        self.file.write(line.encode() + b"\n")
        self.file.flush()

    def remove(self) -> None:
        """Forget it all, once the manifest is written."""
        self.path.unlink(missing_ok=True)


def state_of(file: Path) -> list[int]:
    """Size in bytes and time of the last change; none where the file cannot be seen."""
    try:
        state = file.stat()
    except OSError:
        return []
    return [state.st_size, state.st_mtime_ns]


def journal_path(output: Path) -> Path:
    """Where the journal of an output lies: beside it."""
    return output.with_name(f".{output.name}.journal")
