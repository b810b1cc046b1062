"""The listening grid: the same clips as every system gives them, and goes on with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dcvae.runs import RunError
from reports.page.embed import audio_uri, mel_uri
from reports.page.examples import (
    CONTINUED,
    EXAMPLES,
    FRAMES_PER_SECOND,
    Source,
    by_length,
    first_runs,
    kept_clips,
    left_out,
    mels,
)
from reports.study.study import Study

BUDGET = 9_000_000  # characters of audio: with the figures of 60 systems the page is of 25 MB
REFERENCES = {"original": "the recording", "ceiling": "its mel, vocoded"}
PEER = "other system"


@dataclass(frozen=True)
class Cell:
    """One clip as one system gives it."""

    system: str
    audio: str  # data URI
    mel: str  # data URI
    what: str  # is heard


@dataclass(frozen=True)
class Player:
    """One clip: a cell for each system."""

    clip: str
    seconds: float
    cells: list[Cell]
    prompt: float = 0.0  # seconds, after which a system goes on by itself


@dataclass(frozen=True)
class Listening:
    """The players, and what they leave out: for the page's size, or because it is damaged."""

    players: list[Player] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def title(clip: str) -> str:
    """A clip's name without the hash at its end, for reading."""
    return clip.rpartition("-")[0].replace("_", " ").replace("-", " ") or clip


def listening(study: Study) -> Listening:
    """Examples and continuations, as many as the page's size allows, each of all systems and peers.

    The shortest example comes first, then the continuations, which are few, then the other
    examples; where even that one is too large, it is there of as many systems as there is room
    for. Of a study whose systems were picked, the players hold the baseline, those and the peers.
    """
    every = list(first_runs(study))
    chosen = study.by_choice[: 1 + len(study.picked)] if study.picked else study.systems
    systems = [*chosen, *every[len(study.systems) :]]
    clips = {source: by_length(study, source) for source in (EXAMPLES, CONTINUED)}
    asked = [(source, clip) for source, found in clips.items() for clip in found]
    shortest = asked[: len(clips[EXAMPLES][:1])]
    asked.sort(key=lambda one: (one not in shortest, one[0] is EXAMPLES))
    kept: dict[tuple[Source, str], Player] = {}
    damaged: list[str] = []
    silent = [name for name in every if name not in systems]
    room, dropped = BUDGET, 0
    for source, clip in asked:
        sounds, unheard = encoded(study, clip, source, systems, room, damaged)
        if unheard and kept:
            dropped += 1
            continue
        one = player(study, clip, source, sounds, damaged)
        if one is not None:
            kept[source, clip] = one
            silent += unheard
            room -= sum(map(len, sounds.values()))
    order = [(source, clip) for source in clips for clip in kept_clips(study, source)]
    notes = [*damaged, *too_many(len(every), silent), *too_large(dropped, len(asked))]
    return Listening([kept[place] for place in order if place in kept], notes)


def too_many(every: int, silent: Sequence[str]) -> list[str]:
    """That the players are without the audio of some systems."""
    if not silent:
        return []
    return [
        f"The players hold the audio of {every - len(silent)} of the {every} systems, for the"
        " page's size: build it with `--pick NAME,NAME` to hear others. Left out:"
        f" {', '.join(silent)}."
    ]


def too_large(dropped: int, every: int) -> list[str]:
    """That the players are without some clips."""
    if not dropped:
        return []
    return [
        f"The players hold {every - dropped} of the {every} clips that the runs keep, for the"
        " page's size: build it with `--pick NAME,NAME` to hear more clips of fewer systems."
    ]


def encoded(
    study: Study,
    clip: str,
    source: Source,
    systems: Sequence[str],
    room: int,
    damaged: list[str],
) -> tuple[dict[str, str], list[str]]:
    """The audio of one clip in so many characters, by system, and the systems without room.

    What is damaged is noted and left out.
    """
    found: dict[str, str] = {}
    paths = list(wave_paths(study, clip, source, systems).items())
    for place, (system, path) in enumerate(paths):
        if not path.is_file():
            continue
        try:
            sound = audio_uri(path)
        except RunError as error:
            damaged.append(left_out(path, error))
            continue
        room -= len(sound)
        if room < 0:
            return found, [name for name, _ in paths[place:] if name not in REFERENCES]
        found[system] = sound
    return found, []


def player(
    study: Study, clip: str, source: Source, sounds: Mapping[str, str], damaged: list[str]
) -> Player | None:
    """One clip; None where nothing of it can be read."""
    heard = [name for name in sounds if name not in REFERENCES]
    found, notes = mels(study, clip, heard, source)
    damaged += notes
    if not found:
        return None
    pictures = {name: mel_uri(mel) for name, mel in found.items()}
    pictures["ceiling"] = pictures["original"]
    told = REFERENCES | dict.fromkeys(study.systems, source.wave)
    cells = [
        Cell(system, sound, pictures[system], told.get(system, PEER))
        for system, sound in sounds.items()
        if system in pictures
    ]
    seconds = found["original"].shape[1] / FRAMES_PER_SECOND
    return Player(title(clip) + source.note, seconds, cells, source.prompt)


def wave_paths(study: Study, clip: str, source: Source, systems: Sequence[str]) -> dict[str, Path]:
    """Where the audio of the references and of each system lies, in the first runs."""
    runs = first_runs(study)
    folders = {name: source.place(runs[name], clip) for name in systems}
    first = next((one for one in folders.values() if one.is_dir()), Path())
    references = [*REFERENCES][: 2 if source.has_ceiling else 1]
    return {
        **{name: first / f"{name}.wav" for name in references},
        **{name: folder / f"{source.wave}.wav" for name, folder in folders.items()},
    }
