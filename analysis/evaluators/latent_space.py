"""The latent space: what clean latents tell of voice and language, and how they fill their space.

A clip stands as its mean latent frame wherever clips are compared. The spaces of different runs
have unlike scales, so each measure is free of scale by itself or takes standardised values: its
docstring, in analysis/metrics, says which.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from analysis.context import TEST, Batch, EvalContext
from analysis.evaluator import Cell, Evaluator, Needs
from analysis.evaluators import separability
from analysis.evaluators.latent_set import LatentSet, labelled
from analysis.evaluators.separability import KINDS, LANGUAGE, LOG_MEL, UNTRAINED, Pooled
from analysis.metrics import latent_statistics
from analysis.metrics.neighbours import neighbour_consistency, neighbour_vote
from analysis.metrics.probes import most_frequent, silhouette
from analysis.metrics.projection import tsne
from analysis.metrics.score import Array, Score, Values, score, series
from analysis.outputs.table import Row
from analysis.systems.system import LatentSystem
from dcvae.data.manifest import Clip, select_clips

LIMIT = 2000  # clips, a fixed subset of more: cost grows with the square for map and neighbours
CONDITION = "latents"
OF_CLIP = ("tsne_1", "tsne_2", "sec")
OF_LABEL = ("knn", "lnc", "silhouette")
BROKEN = "its latents hold NaN or infinity"


def labelled_clips(context: EvalContext) -> list[Clip]:
    """The test clips whose speaker or language is known, LIMIT at most; any where none is."""
    clips = list(context.split(TEST))
    labelled = [clip for clip in clips if clip.speaker or clip.language]
    return select_clips(labelled or clips, TEST, LIMIT)


def cells(context: EvalContext, clip: Clip) -> list[Cell]:
    """What every clip has a row of."""
    by_label = [f"{kind}_{measure}" for kind in KINDS for measure in OF_LABEL]
    own = [(CONDITION, metric) for metric in (*OF_CLIP, *by_label)]
    conditions = trivial_conditions(context.latent_system)
    trivial_cells = [cell for one in conditions for cell in separability.clip_cells(one)]
    return [*own, *separability.clip_cells(CONDITION), *trivial_cells]


def measure(batches: Iterator[Batch], context: EvalContext) -> Iterator[list[Row]]:
    """The rows of every clip and of the set, once the last batch is encoded."""
    read, clips, sequences = [], [], []
    system = context.latent_system
    own = separability.pooled_latents(system)
    trivial = Trivial(context)
    for batch in batches:
        own.add(batch, batch.latents.flatten(1, 2).float())
        trivial.add(batch)
        for sample, latents in zip(batch.samples, batch.clip_latents, strict=True):
            read.append(sample.clip)
            if bool(torch.isfinite(latents).all()):
                clips.append(sample.clip)
                sequences.append(latents.float().numpy().copy())
            else:
                broken = [cell for cell in cells(context, sample.clip) if cell[0] == CONDITION]
                yield [Row(sample.name, *cell, math.nan, BROKEN) for cell in broken]
    latent_set = LatentSet(clips, sequences, system.latent_shape)
    yield rows_of_all(latent_set, own.keep({clip.name for clip in clips}))
    yield from trivial.rows(read)


class Trivial:
    """The trivial representations, which depend on no trained weights: once for all runs."""

    def __init__(self, context: EvalContext) -> None:
        self.context = context
        system = context.latent_system
        pools: dict[str, Callable[[], Pooled]] = {
            LOG_MEL: separability.pooled_mels,
            UNTRAINED: partial(pooled_untrained, system),
        }
        self.kinds = {name: f"separability {name}" for name in trivial_conditions(system)}
        if UNTRAINED in self.kinds:
            self.kinds[UNTRAINED] += f" {system.architecture}"
        asked = [clip.name for clip in labelled_clips(context)]
        self.pooled: dict[str, Pooled] = {
            name: make()
            for name, make in pools.items()
            if name in self.kinds and not context.references.has(self.kinds[name], asked)
        }

    def add(self, batch: Batch) -> None:
        for one in self.pooled.values():
            one.add(batch)

    def rows(self, clips: Sequence[Clip]) -> Iterator[list[Row]]:
        """Those of the clips that were read."""
        names = [clip.name for clip in clips]
        for name, kind in self.kinds.items():
            yield self.context.rows_once(kind, names, partial(self.compute, name, clips))

    def compute(self, name: str, clips: Sequence[Clip]) -> list[Row]:
        if name == LANGUAGE:
            return separability.language_rows(clips)
        return separability.rows_of(name, self.pooled[name])


def trivial_conditions(system: LatentSystem) -> list[str]:
    """Those that there are: not every system's architecture can be had without its weights."""
    return [LOG_MEL, *([UNTRAINED] if system.architecture else []), LANGUAGE]


def pooled_untrained(system: LatentSystem) -> Pooled:
    """Of the system's architecture with random weights."""
    untrained = system.untrained()
    assert untrained is not None
    return separability.pooled_latents(untrained)


def rows_of_all(latents: LatentSet, pooled: Pooled) -> list[Row]:
    """Every row of the clips whose latents are finite. The map is drawn beside the others.

    One thread each: those of the libraries wait for each other longer than they compute.
    """
    with threadpool_limits(1), ThreadPoolExecutor(1) as beside:
        places = beside.submit(tsne, latents.points)
        others = [row for kind in KINDS for row in label_rows(latents, kind)]
        others += set_rows(latents) + separability.rows_of(CONDITION, pooled)
        return clip_rows(latents, places) + others


def clip_rows(latents: LatentSet, places: Future[Array]) -> list[Row]:
    """Where each clip lies on the map [N, 2], and how fast its latents change."""

    def energies() -> list[Score]:
        mean, std = latents.frames.mean(axis=0), latents.frames.std(axis=0)
        clips = range(len(latents.clips))
        return [
            score(latent_statistics.spectral_energy, latents.flat(clip), mean, std)
            for clip in clips
        ]

    return [
        *rows(latents.names, "tsne_1", lambda: places.result()[:, 0]),
        *rows(latents.names, "tsne_2", lambda: places.result()[:, 1]),
        *rows(latents.names, "sec", energies),
    ]


def label_rows(latents: LatentSet, kind: str) -> list[Row]:
    """How well the clips' speakers or languages are told apart."""
    found = labelled(latents.clips, latents.points, kind)
    points, labels, groups = found.points, found.labels, found.groups
    measures: dict[str, Callable[[], Values]] = {
        "knn": lambda: neighbour_vote(points, labels, groups),
        "lnc": lambda: neighbour_consistency(points, labels),
        "silhouette": lambda: silhouette(points, labels),
    }
    result = [Row("", CONDITION, f"{kind}_chance", *score(most_frequent, labels))]
    for metric in OF_LABEL:
        name = f"{kind}_{metric}"
        result += rows(found.names, name, measures[metric])
        result += [
            Row(clip, CONDITION, name, math.nan, why) for clip, why in found.left_out.items()
        ]
    return result


def set_rows(latents: LatentSet) -> list[Row]:
    """What the latents of all clips do together, with the clip ""."""
    channels, _ = latents.shape
    single: dict[str, Callable[[], float]] = {
        "viv_speaker": lambda: latent_statistics.velocity_irreducible_variance(
            *latents.frames_of("speaker")
        ),
        "effective_rank": lambda: latent_statistics.effective_rank(latents.covariance),
        "dead_channels": lambda: latent_statistics.dead_channels(latents.variances),
        "latent_rms": lambda: float(np.sqrt(np.square(latents.frames).mean())),
        "dispersive": lambda: latent_statistics.dispersive(latents.starts),
        "dispersive_moving": lambda: latent_statistics.dispersive_moving(latents.starts),
    }
    shares = series(latents.size, lambda: latent_statistics.eigenvalue_shares(latents.covariance))
    variances = series(channels, lambda: latent_statistics.channel_variances(latents.variances))
    return [
        *(Row("", CONDITION, metric, *score(value)) for metric, value in single.items()),
        *(Row("", f"component_{i:02}", "eigenvalue_share", *one) for i, one in enumerate(shares)),
        *(Row("", f"channel_{i:02}", "channel_variance", *one) for i, one in enumerate(variances)),
    ]


def rows(names: Sequence[str], metric: str, measured: Callable[[], Values]) -> list[Row]:
    """A row of one metric for each clip."""
    scores = series(len(names), measured)
    return [Row(name, CONDITION, metric, *one) for name, one in zip(names, scores, strict=True)]


EVALUATOR = Evaluator(
    name="latents",
    version=2,
    measure=measure,
    cells=cells,
    clips=labelled_clips,
    libraries=("scikit-learn",),
    needs=Needs.LATENTS,
    by_clip=False,
)
