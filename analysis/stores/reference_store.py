"""What no run changes, such as a ceiling's scores: computed once for all runs that lie together."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dcvae.utils.jsonl import append_lines, read_lines


class References:
    """JSON values by kind and clip, in a file of lines that several processes may add to.

    A kind is an evaluator or a model's name: what a value depends on beside the file's own key
    and the clip's audio, whose digests are in `audio` by the clip's name.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Read what is in the file; without a path, values are kept in memory alone."""
        self.path = path
        self.audio: dict[str, str] = {}
        self.known: dict[tuple[str, str, str], Any] = {}
        for line in read_lines(path) if path else ():
            if isinstance(line, list) and len(line) == 4:
                kind, clip, digest, value = line
                self.known[str(kind), str(clip), str(digest)] = value

    def key(self, kind: str, clip: str) -> tuple[str, str, str]:
        """By what a clip's value is found."""
        return kind, clip, self.audio.get(clip, "")

    def has(self, kind: str, clips: Sequence[str]) -> bool:
        """Whether the values of all these clips are known."""
        return all(self.key(kind, clip) in self.known for clip in clips)

    def get(self, kind: str, clips: Sequence[str]) -> list[Any]:
        """Their values; KeyError where one is not known."""
        return [self.known[self.key(kind, clip)] for clip in clips]

    def put(self, kind: str, values: Mapping[str, Any]) -> None:
        """Keep values by clip."""
        found = {self.key(kind, clip): value for clip, value in values.items()}
        self.known |= found
        if self.path:
            append_lines(self.path, [[*key, value] for key, value in found.items()])

    def once(
        self, kind: str, clips: Sequence[str], compute: Callable[[], Sequence[Any]]
    ) -> list[Any]:
        """Their values, which are computed together and kept unless all are known."""
        if not self.has(kind, clips):
            self.put(kind, dict(zip(clips, compute(), strict=True)))
        return self.get(kind, clips)
