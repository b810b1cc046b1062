"""The listening grid: the same clips as every system gives them, and goes on with them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from dcvae.runs import Run
from reports.page.embed import audio_uri, mel_uri
from reports.study import Study

FRAMES_PER_SECOND = 22050 / 256
BUDGET = 9_000_000  # characters of audio on the page, which should stay under 15 MB


@dataclass(frozen=True)
class Cell:
    """One clip as one system gives it."""

    system: str
    audio: str  # data URI
    mel: str  # data URI


@dataclass(frozen=True)
class Player:
    """One clip: a cell for each system."""

    clip: str
    seconds: float
    cells: list[Cell]


@dataclass(frozen=True)
class Source:
    """Clips that an analysis keeps as audio: RUN/analysis/<folder>/<clip>/{<wave>.wav, mel.npz}."""

    folder: str
    wave: str  # the system's, and its mel's name in mel.npz
    note: str = ""  # for the clip's title
    has_ceiling: bool = False

    def place(self, run: Run, clip: str = "") -> Path:
        return run.analysis / self.folder / clip


EXAMPLES = Source("examples", "reconstruction", has_ceiling=True)
CONTINUED = Source("continuations", "continuation", ", continued after 1.5 s")


def title(clip: str) -> str:
    """A clip's name without the hash at its end, for reading."""
    return clip.rpartition("-")[0].replace("_", " ").replace("-", " ") or clip


def kept_clips(run: Run, source: Source = EXAMPLES) -> list[str]:
    """The clips that a run keeps, in the order of the test set's selection."""
    folder = source.place(run)
    found = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    return [clip for clip in (run.summary or {}).get("clips", ()) if clip in found]


def mels(study: Study, clip: str, source: Source = EXAMPLES) -> dict[str, npt.NDArray[Any]]:
    """Log-mels [M, F] of one clip: the original, then what each system (first seed) made."""
    found: dict[str, npt.NDArray[Any]] = {}
    for system in study.systems:
        path = source.place(study.of(system)[0], clip) / "mel.npz"
        try:
            with np.load(path, allow_pickle=False) as stored:
                found.setdefault("original", stored["original"])
                found[system] = stored[source.wave]
        except (OSError, KeyError, ValueError, BadZipFile):
            continue  # its cell is missing from the page, where it shows
    return found


def shortest(study: Study) -> tuple[str, dict[str, npt.NDArray[Any]]]:
    """The shortest example clip and its mels: it shows most on a small picture."""
    found = [(clip, mels(study, clip)) for clip in kept_clips(study.runs[0])]
    readable = [one for one in found if one[1]]
    return min(readable, key=lambda one: one[1]["original"].shape[1], default=("", {}))


def players(study: Study) -> list[Player]:
    """The first run's examples, then its continuations, as many as the page's size allows."""
    kept: dict[Source, list[Player]] = {CONTINUED: [], EXAMPLES: []}
    spent = 0
    for source, found in kept.items():  # the few take their room before the many
        for clip in kept_clips(study.runs[0], source):
            one = player(study, clip, source)
            if one is not None:
                spent += sum(len(cell.audio) for cell in one.cells)
                if spent > BUDGET and one.cells:
                    break
                found.append(one)
    return kept[EXAMPLES] + kept[CONTINUED]


def player(study: Study, clip: str, source: Source) -> Player | None:
    """One clip; None where nothing of it can be read."""
    found = mels(study, clip, source)
    if not found:
        return None
    pictures = {name: mel_uri(mel) for name, mel in found.items()}
    pictures["ceiling"] = pictures["original"]
    cells = [
        Cell(system, audio_uri(path), pictures[system])
        for system, path in wave_paths(study, clip, source).items()
        if system in pictures and path.is_file()
    ]
    seconds = found["original"].shape[1] / FRAMES_PER_SECOND
    return Player(title(clip) + source.note, seconds, cells)


def wave_paths(study: Study, clip: str, source: Source) -> dict[str, Path]:
    """Where the audio of each system lies."""
    folders = {system: source.place(study.of(system)[0], clip) for system in study.systems}
    first = next(iter(folders.values()))
    references = ("original", "ceiling") if source.has_ceiling else ("original",)
    return {
        **{name: first / f"{name}.wav" for name in references},
        **{name: folder / f"{source.wave}.wav" for name, folder in folders.items()},
    }
