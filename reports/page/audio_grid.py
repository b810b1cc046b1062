"""The listening grid: the same clips as every system gives them."""

from collections.abc import Iterator
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


def title(clip: str) -> str:
    """A clip's name without the hash at its end, for reading."""
    return clip.rpartition("-")[0].replace("_", " ").replace("-", " ") or clip


def example_clips(run: Run) -> list[str]:
    """The run's example clips, in the order of the test set's selection."""
    folder = run.analysis / "examples"
    found = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    return [clip for clip in (run.summary or {}).get("clips", ()) if clip in found]


def mels(study: Study, clip: str) -> dict[str, npt.NDArray[Any]]:
    """Log-mels [M, F] of one clip: the original, then what each system (first seed) made."""
    found: dict[str, npt.NDArray[Any]] = {}
    for system in study.systems:
        path = study.of(system)[0].analysis / "examples" / clip / "mel.npz"
        try:
            with np.load(path, allow_pickle=False) as stored:
                found.setdefault("original", stored["original"])
                found[system] = stored["reconstruction"]
        except (OSError, KeyError, ValueError, BadZipFile):
            continue  # its cell is missing from the page, where it shows
    return found


def shortest(study: Study) -> tuple[str, dict[str, npt.NDArray[Any]]]:
    """The shortest example clip and its mels: it shows most on a small picture."""
    found = [(clip, mels(study, clip)) for clip in example_clips(study.runs[0])]
    readable = [one for one in found if one[1]]
    return min(readable, key=lambda one: one[1]["original"].shape[1], default=("", {}))


def players(study: Study) -> Iterator[Player]:
    """The first run's examples, as many as the page's size allows."""
    spent = 0
    for clip in example_clips(study.runs[0]):
        found = mels(study, clip)
        if not found:
            continue
        pictures = {name: mel_uri(mel) for name, mel in found.items()}
        pictures["ceiling"] = pictures["original"]
        cells = [
            Cell(system, audio_uri(path), pictures[system])
            for system, path in wave_paths(study, clip).items()
            if system in pictures and path.is_file()
        ]
        spent += sum(len(cell.audio) for cell in cells)
        if spent > BUDGET and cells:
            return
        yield Player(title(clip), found["original"].shape[1] / FRAMES_PER_SECOND, cells)


def wave_paths(study: Study, clip: str) -> dict[str, Path]:
    """Where the audio of each system lies."""
    folders = {system: study.of(system)[0].analysis / "examples" / clip for system in study.systems}
    first = next(iter(folders.values()))
    return {
        "original": first / "original.wav",
        "ceiling": first / "ceiling.wav",
        **{name: folder / "reconstruction.wav" for name, folder in folders.items()},
    }
