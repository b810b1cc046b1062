"""What is known of a model's weights: how they came to be, and what was measured of them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

from dcvae.data.manifest import Clip, Manifest


@dataclass(frozen=True)
class Corpus:
    """The speech that a model was trained on; `name` is what it is called where it is chosen."""

    name: str
    manifest: str  # the file's name
    clips: int
    hours: float
    languages: Sequence[str] = ()
    speakers: int = 0

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Self | None:
        """That of a run.json, of whatever version; None where it lacks what every one says."""
        try:
            return cls(**{one.name: said[one.name] for one in fields(cls) if one.name in said})
        except TypeError:
            return None

    @classmethod
    def of(cls, name: str, manifest: str, clips: Iterable[Clip]) -> Self:
        """Counts clips, hours, and the languages and speakers that have a name."""
        if isinstance(clips, Manifest):
            seconds, speakers = float(clips.column("duration").sum()), clips.unique("speaker")
            languages = sorted(clips.unique("language"))
            return cls(
                name, manifest, len(clips), round(seconds / 3600, 3), languages, len(speakers)
            )
        clips = list(clips)
        hours = round(sum(clip.duration for clip in clips) / 3600, 3)
        languages = sorted({clip.language for clip in clips if clip.language})
        speakers = {clip.speaker for clip in clips if clip.speaker}
        return cls(name, manifest, len(clips), hours, languages, len(speakers))


def size_folder(size: str, budget: int | None) -> str:
    """Where runs of a size lie: "tiny", or "tiny-350steps" where it is not the size's own steps."""
    return size if budget is None else f"{size}-{budget}steps"


@dataclass(frozen=True)
class Training:
    """How weights came to be; what is None is not known."""

    size: str | None = None
    ablation: str | None = None
    seed: int | None = None
    step: int | None = None  # of these weights
    steps: int | None = None  # of the whole training
    precision: str | None = None
    device: str | None = None
    commit: str | None = None
    corpus: Corpus | None = None
    origin: str | None = None  # of weights that were not trained here
    budget: int | None = None  # steps, where they are not the size's own

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Self:
        """Takes what it knows by name; `corpus` may be a mapping of Corpus's fields."""
        known = {one.name: facts.get(one.name) for one in fields(cls)}
        if isinstance(corpus := known["corpus"], Mapping):
            known["corpus"] = Corpus.read(corpus)
        return cls(**known)

    @property
    def name(self) -> str:
        """As the run's folder is called: size/ablation/seed0."""
        if self.size is None or self.ablation is None:
            return "dcvae"
        return f"{size_folder(self.size, self.budget)}/{self.ablation}/seed{self.seed}"


@dataclass(frozen=True)
class Score:
    """One metric over the scored clips with its 95% interval.

    The ceiling's and the original's own values are NaN where there are none.
    """

    metric: str  # as in the tables
    label: str  # for readers
    mean: float
    low: float
    high: float
    n_scored: int
    n_failed: int
    ceiling: float = math.nan
    original: float = math.nan


@dataclass(frozen=True)
class Evaluation:
    """What was measured, on which split and through which vocoder."""

    split: str
    vocoder: str
    scores: Sequence[Score]
