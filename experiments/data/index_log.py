"""What was found of each file, written as it is found, so that a killed indexing goes on."""

from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from dcvae.audio.io import AudioInfo, decoder_name
from dcvae.utils.jsonl import append_lines, resume_lines

Found = AudioInfo | str


class IndexLog:
    """JSON lines beside an output: a file with its size and time, and what it holds.

    A file that changed since, and a line that was cut off, count for nothing.
    """

    def __init__(self, output: Path) -> None:
        """Go on after the last whole line of what is there."""
        self.path = output.with_name(f".{output.name}.journal")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.known: dict[str, tuple[list[int], Found]] = {}
        for line in resume_lines(self.path):
            with suppress(ValueError, TypeError):  # of a version before
                name, decoder, state, found = line
                if decoder == decoder_name():  # another one reads other files
                    known = found if isinstance(found, str) else AudioInfo(**found)
                    self.known[name] = state, known

    def find(self, file: Path) -> Found | None:
        """What is known of a file as it is now."""
        state, found = self.known.get(str(file), (None, None))
        return found if found is not None and state == state_of(file) else None

    def add(self, file: Path, found: Found) -> None:
        """Keep what was found; a killed process loses none of it."""
        told = found if isinstance(found, str) else asdict(found)
        append_lines(self.path, [[str(file), decoder_name(), state_of(file), told]])

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
