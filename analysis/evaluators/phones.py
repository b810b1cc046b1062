"""What content do the latents hold? A linear probe for phones on latent frames.

Beside it the same probe on the log-mel at the latents' own rate: a mean over each latent frame's
mel frames. What the latents hold is to be compared with that, and never across frame rates.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from analysis.batching import Sample
from analysis.context import TEST, Batch, EvalContext
from analysis.evaluator import Cell, Evaluator, Needs
from analysis.evaluators.words import has_text
from analysis.metrics.alignment import Phone, align, frame_labels
from analysis.metrics.probes import FOLDS, linear_probe, mean_score, most_frequent
from analysis.metrics.score import Array, Score, Unmeasurable, score, series
from analysis.outputs.table import Row
from dcvae.audio.mel import FRAMES_PER_SECOND, SAMPLE_RATE
from dcvae.data.manifest import Clip, select_clips

CONDITIONS = ("latents", "log_mel")
METRIC = "phone_probe"
LIMIT = 500  # clips
RARE = "all of its frames are of rare phones"


class Spoken(NamedTuple):
    """A clip's frames in both representations, and the phone of each."""

    name: str
    frames: dict[str, Array]  # [L, D] by condition
    labels: Array  # [L]


def english_clips(context: EvalContext) -> list[Clip]:
    """The English test clips whose whole text is known."""
    known = [clip for clip in context.split(TEST) if clip.language == "en" and has_text(clip)]
    return select_clips(known, TEST, LIMIT) if known else []


def alignments(samples: Sequence[Sample], context: EvalContext) -> list[list[Phone] | str]:
    """The phones of each sample, or why there are none: found once for all runs."""

    def compute() -> list[list[list[object]] | str]:
        futures = [
            context.resources.pool.submit(
                align_or_reason, one.wave.numpy(), SAMPLE_RATE, one.clip.text
            )
            for one in samples
        ]
        return [future.result() for future in futures]

    values = context.references.once("phones", [one.name for one in samples], compute)
    return [one if isinstance(one, str) else [Phone(*phone) for phone in one] for one in values]


def align_or_reason(wave: Array, sample_rate: int, text: str) -> list[list[object]] | str:
    """One unit of work for the pool, as JSON keeps it."""
    found: list[list[object]] = []

    def run() -> float:
        found.extend(list(phone) for phone in align(wave, sample_rate, text))
        return 0.0

    return score(run).reason or found


def pool_mel(mel: Array, length: int, per_latent: float) -> Array:
    """Log-mel [M, F] at the latents' rate [L, M]: the mean over each latent frame's frames."""
    edges = np.floor(np.arange(length + 1) * per_latent).astype(int)
    last = mel.shape[1] - 1  # of a latent frame that lies beyond the end the last one is taken
    return np.array(
        [
            mel[:, min(start, last) : max(stop, start + 1)].mean(axis=1)
            for start, stop in pairwise(edges.tolist())
        ]
    )


def measure(batches: Iterator[Batch], context: EvalContext) -> Iterator[list[Row]]:
    """`phone_probe`: the share of a clip's frames whose phone a linear probe finds.

    The probe is fitted on other clips (five folds of clips). A phone that is in fewer clips than
    there are folds is left out. `phone_chance` of the set is the share of the most frequent phone.
    """
    spoken: list[Spoken] = []
    per_latent = context.latent_system.frames_per_latent
    for batch in batches:
        found = alignments(batch.samples, context)
        for sample, latents, phones in zip(batch.samples, batch.clip_latents, found, strict=True):
            if isinstance(phones, str):
                yield [Row(sample.name, one, METRIC, math.nan, phones) for one in CONDITIONS]
                continue
            length = latents.shape[-1]
            frames = {
                "latents": latents.flatten(0, 1).T.double().numpy(),
                "log_mel": pool_mel(sample.mel.double().numpy(), length, per_latent),
            }
            edges = np.arange(length + 1) * per_latent / FRAMES_PER_SECOND
            spoken.append(Spoken(sample.name, frames, frame_labels(phones, edges)))
    for condition in CONDITIONS:
        yield probe_rows(condition, spoken)
    labels = np.concatenate([one.labels for one in spoken]) if spoken else np.array([])
    yield [Row("", "latents", "phone_chance", *score(most_frequent, labels))]


def probe_rows(condition: str, spoken: Sequence[Spoken]) -> list[Row]:
    """The row of every clip that was aligned."""
    if not spoken:
        return []
    labels = np.concatenate([one.labels for one in spoken])
    points = np.concatenate([one.frames[condition] for one in spoken])
    clips = np.repeat([one.name for one in spoken], [len(one.labels) for one in spoken])
    common = np.isin(labels, common_labels(labels, clips))
    hits = series(int(common.sum()), lambda: probe(points[common], labels[common], clips[common]))
    by_clip: dict[str, list[Score]] = {one.name: [] for one in spoken}
    for clip, hit in zip(clips[common], hits, strict=True):
        by_clip[clip].append(hit)
    return [
        Row(name, condition, METRIC, *(mean_score(scores) if scores else Score(math.nan, RARE)))
        for name, scores in by_clip.items()
    ]


def probe(points: Array, labels: Array, clips: Array) -> list[Score]:
    """Hits of each frame; once, for a set of frames is much larger than one of clips."""
    if not np.isfinite(points).all():
        raise Unmeasurable("its latents hold NaN or infinity")
    return linear_probe(points, labels, clips, repeats=1)


def common_labels(labels: Array, clips: Array) -> list[str]:
    """Those that are in as many clips as there are folds."""
    return [one for one in np.unique(labels) if len(np.unique(clips[labels == one])) >= FOLDS]


def cells(context: EvalContext, clip: Clip) -> list[Cell]:
    return [(condition, METRIC) for condition in CONDITIONS]


EVALUATOR = Evaluator(
    name="phones",
    version=1,
    measure=measure,
    cells=cells,
    clips=english_clips,
    libraries=("pocketsphinx", "scikit-learn"),
    install="--no-deps pocketsphinx",  # it names sounddevice, which only its own tools need
    needs=Needs.LATENTS,
    by_clip=False,
)
