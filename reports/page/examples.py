"""The clips that an analysis keeps as audio, and their mels; of what is damaged, notes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile
from zlib import error as ZlibError

import numpy as np
import numpy.typing as npt

from dcvae.runs import Run, RunError, shown
from reports.study.study import Study

FRAMES_PER_SECOND = 22050 / 256
Mels = dict[str, npt.NDArray[Any]]  # log-mels [M, F]: "original", then by system
UNREADABLE = (OSError, EOFError, KeyError, ValueError, BadZipFile, ZlibError, NotImplementedError)


@dataclass(frozen=True)
class Source:
    """Clips that an analysis keeps as audio: RUN/analysis/<folder>/<clip>/{<wave>.wav, mel.npz}."""

    folder: str
    wave: str  # the system's, and its mel's name in mel.npz
    note: str = ""  # for the clip's title
    has_ceiling: bool = False
    prompt: float = 0.0  # seconds at the start that no system has made

    def place(self, run: Run, clip: str = "") -> Path:
        return run.analysis / self.folder / clip


EXAMPLES = Source("examples", "reconstruction", has_ceiling=True)
PROMPT = 1.5  # seconds
CONTINUED = Source(
    "continuations", "continuation", f", continued after {PROMPT:g} s", prompt=PROMPT
)


def first_runs(study: Study) -> dict[str, Run]:
    """The first run of each of the study's systems by its name, then of each peer by its title."""
    found = {system: study.of(system)[0] for system in study.systems}
    peers = [study.peers.of(name)[0] for name in study.peers.systems] if study.peers else []
    for run in peers:
        found[f"{run.title} (peer)" if run.title in found else run.title] = run
    return found


def kept_clips(study: Study, source: Source = EXAMPLES) -> list[str]:
    """The clips that some system's first run keeps, in the order of the test set's selection."""
    found: set[str] = set()
    runs = [study.of(system)[0] for system in study.systems]
    for folder in (source.place(run) for run in runs):
        found |= {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    clips = dict.fromkeys(clip for run in runs for clip in (run.summary or {}).get("clips", ()))
    return [clip for clip in clips if clip in found]


def left_out(path: Path, why: object) -> str:
    """The note of a file that cannot be shown."""
    return f"{shown(path)} is damaged: {' '.join(str(why).split())}. The page does without it."


def read_mels(path: Path, source: Source) -> Mels:
    """The arrays "original" and that of the system, [M, F] of one shape; RunError says what is not.

    {} where there is no such file.
    """
    if not path.is_file():
        return {}
    try:
        with np.load(path, allow_pickle=False) as stored:
            found = {name: np.asarray(stored[name]) for name in ("original", source.wave)}
    except UNREADABLE as error:
        raise RunError(str(error) or type(error).__name__) from error
    for name, mel in found.items():
        if mel.ndim != 2 or not mel.size:
            raise RunError(f"its {name!r} has the shape {mel.shape} and no bands and frames")
        if mel.dtype.kind != "f" or not np.isfinite(mel).all():
            raise RunError(f"its {name!r} holds what are no finite numbers")
    if found["original"].shape != found[source.wave].shape:
        raise RunError(f"its {source.wave!r} is not as long as the original")
    return found


def mels(
    study: Study, clip: str, systems: Sequence[str], source: Source = EXAMPLES
) -> tuple[Mels, list[str]]:
    """One clip's original and what each system (first seed) made; notes of what is damaged."""
    found: Mels = {}
    notes, runs = [], first_runs(study)
    for system in systems:
        path = source.place(runs[system], clip) / "mel.npz"
        try:
            read = read_mels(path, source)
        except RunError as error:
            notes.append(left_out(path, error))
            continue
        if not read:
            continue  # its cell is missing from the page, where it shows
        original = found.setdefault("original", read["original"])
        if read[source.wave].shape != original.shape:
            notes.append(left_out(path, "it is not as long as the other systems' clip"))
            continue
        found[system] = read[source.wave]
    return found, notes


def shortest(study: Study, systems: Sequence[str]) -> Mels:
    """The mels of the shortest example clip, which shows most on a small picture; {} of none."""
    for clip in by_length(study, EXAMPLES):
        found, _ = mels(study, clip, systems)
        if found:
            return found
    return {}


def by_length(study: Study, source: Source) -> list[str]:
    """The kept clips, the shortest first: by the size of their original's file."""

    def size(clip: str) -> int:
        places = (source.place(study.of(name)[0], clip) for name in study.systems)
        files = (place / "original.wav" for place in places)
        return next((file.stat().st_size for file in files if file.is_file()), 0)

    return sorted(kept_clips(study, source), key=size)
