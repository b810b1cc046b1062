"""Whether speakers, languages and clips are told apart, in latents and in what needs no training.

A representation stands for a clip as its mean over time. Beside the latents are trivial ones, each
a condition of its own: the log-mel, the same architecture with random weights, and, for speakers,
the language alone. What latents are worth is what they add to these.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from analysis.batching import Sample, pad_mels
from analysis.context import Batch
from analysis.evaluator import Cell
from analysis.evaluators.latent_set import labelled, labels_of
from analysis.metrics.probes import linear_probe, standardise
from analysis.metrics.retrieval import clip_retrieval
from analysis.metrics.score import Array, Score, series
from analysis.outputs.table import Row
from analysis.systems.system import LatentSystem
from dcvae.audio.mel import HOP
from dcvae.data.manifest import Clip

KINDS = ("speaker", "language")
STEP = 32  # mel frames: a half is of whole latent frames at any compression of the registry
SHORTEST_HALF = 64  # mel frames, three quarters of a second
SHORT = "shorter than two halves of 0.75 s"
LOG_MEL, UNTRAINED, LANGUAGE = "log_mel", "untrained", "language"

Encode = Callable[[Sequence[Sample], int], Tensor]  # samples padded to F mel frames to [B, D, L]


def clip_cells(condition: str) -> list[Cell]:
    """What every clip has a row of in one condition."""
    metrics = [f"{kind}_probe" for kind in KINDS if kind != condition]
    return [(condition, name) for name in metrics + ["clip_retrieval"] * (condition != LANGUAGE)]


@dataclass
class Pooled:
    """Clips in one representation: means over time of the whole, and of each half by itself."""

    encode: Encode
    steps: Callable[[int], int]  # of its L, those of so many mel frames
    clips: list[Clip] = field(default_factory=list)
    whole: list[Array] = field(default_factory=list)  # [D] each
    halves: list[Array] = field(default_factory=list)  # [2, D] each, NaN of a clip too short

    def add(self, batch: Batch, features: Tensor | None = None) -> None:
        """Pool the clips of a batch. No half sees the other: each is encoded alone.

        `features` [B, D, padded L] of the whole clips, where they are there already.
        """
        samples = batch.samples
        if features is None:
            features = self.encode(samples, samples[0].padded_frames)
        self.clips += [sample.clip for sample in samples]
        self.whole += [
            one[:, : self.steps(sample.frames)].mean(dim=1).double().numpy()
            for one, sample in zip(features, samples, strict=True)
        ]
        self.halves += self.pool_halves(samples, features.shape[1])

    def pool_halves(self, samples: Sequence[Sample], size: int) -> list[Array]:
        """[2, D] for each sample."""
        lengths = [half_frames(sample) for sample in samples]
        long = [one for one, length in zip(samples, lengths, strict=True) if length]
        found = dict.fromkeys((one.name for one in samples), np.full((2, size), math.nan))
        if long:
            parts = [part for sample in long for part in split(sample, half_frames(sample))]
            features = self.encode(parts, max(lengths)).unflatten(0, (-1, 2))
            for sample, both in zip(long, features, strict=True):
                steps = self.steps(half_frames(sample))
                found[sample.name] = both[..., :steps].mean(dim=2).double().numpy()
        return [found[sample.name] for sample in samples]

    def keep(self, names: set[str]) -> "Pooled":
        """These clips alone."""
        used = [number for number, clip in enumerate(self.clips) if clip.name in names]
        return Pooled(
            self.encode,
            self.steps,
            [self.clips[number] for number in used],
            [self.whole[number] for number in used],
            [self.halves[number] for number in used],
        )


def half_frames(sample: Sample) -> int:
    """The mel frames of each half; 0 where the clip is too short for two."""
    frames = sample.frames // 2 // STEP * STEP
    return frames if frames >= SHORTEST_HALF else 0


def split(sample: Sample, frames: int) -> tuple[Sample, Sample]:
    """The first and the last so many mel frames of a sample."""
    clip, wave, mel = sample.clip, sample.wave, sample.mel
    first = Sample(clip, wave[: frames * HOP], mel[:, :frames])
    return first, Sample(clip, wave[-frames * HOP :], mel[:, -frames:])


def pooled_latents(system: LatentSystem) -> Pooled:
    """Of clean latents, with channels and bins as one axis."""
    return Pooled(
        lambda samples, frames: system.encode(samples, frames).flatten(1, 2), system.latent_frames
    )


def pooled_mels() -> Pooled:
    """Of log-mel frames."""
    return Pooled(
        lambda samples, frames: pad_mels([sample.mel for sample in samples], frames),
        lambda frames: frames,
    )


def rows_of(condition: str, pooled: Pooled) -> list[Row]:
    """The rows of `clip_cells`, for every clip."""
    whole = np.array(pooled.whole)
    rows = [row for kind in KINDS for row in probe_rows(condition, kind, pooled.clips, whole)]
    return rows + retrieval_rows(condition, pooled)


def language_rows(clips: Sequence[Clip]) -> list[Row]:
    """What a speaker probe reaches that knows each clip's language and nothing else."""
    languages = labels_of(clips, "language")
    one_hot = (languages[:, None] == np.unique(languages)).astype(float)
    return probe_rows(LANGUAGE, "speaker", clips, one_hot)


def probe_rows(condition: str, kind: str, clips: Sequence[Clip], points: Array) -> list[Row]:
    """How often a linear probe on points [N, D] predicts each clip's label."""
    metric, found = f"{kind}_probe", labelled(clips, points, kind)
    hits = series(len(found.names), lambda: linear_probe(found.points, found.labels, found.groups))
    scores = {name: Score(math.nan, why) for name, why in found.left_out.items()}
    scores |= dict(zip(found.names, hits, strict=True))
    return [Row(clip.name, condition, metric, *scores[clip.name]) for clip in clips]


def retrieval_rows(condition: str, pooled: Pooled) -> list[Row]:
    """Whether each clip's halves find each other among the clips of its speaker."""
    if not pooled.clips:
        return []
    halves = np.array(pooled.halves)  # [N, 2, D]
    speakers = labels_of(pooled.clips, "speaker")
    long = np.isfinite(halves).all(axis=(1, 2))
    used = long & (speakers != "")
    reasons = np.where(long, "its speaker is unknown", SHORT)
    standard = standardise(halves[used].reshape(-1, halves.shape[2])).reshape(-1, *halves.shape[1:])
    found = iter(clip_retrieval(standard[:, 0], standard[:, 1], speakers[used]))
    scores = [
        next(found) if one else Score(math.nan, str(reason))
        for one, reason in zip(used, reasons, strict=True)
    ]
    pairs = zip(pooled.clips, scores, strict=True)
    return [Row(clip.name, condition, "clip_retrieval", *one) for clip, one in pairs]
