"""The latent space: what clean latents tell of voice and language, and how they fill their space.

A clip stands as its mean latent frame wherever clips are compared. The spaces of different runs
have unlike scales, so each measure is free of scale by itself or takes standardised values: its
docstring, in analysis/metrics, says which.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import torch

from analysis.context import TEST, Batch, EvalContext
from analysis.evaluator import Cell, Evaluator
from analysis.evaluators.latent_set import LatentSet
from analysis.metrics import latent_statistics
from analysis.metrics.neighbours import neighbour_consistency, neighbour_vote
from analysis.metrics.probes import linear_probe, most_frequent, silhouette
from analysis.metrics.score import Array, Score, score
from analysis.outputs.table import Row
from dcvae.data.manifest import Clip, select_clips

LIMIT = 2000  # clips, a fixed subset of more: cost grows with the square for map and neighbours
CONDITION = "latents"
KINDS = ("speaker", "language")
OF_CLIP = ("tsne_1", "tsne_2", "sec")
OF_LABEL = ("probe", "knn", "lnc", "silhouette")
BROKEN = "its latents hold NaN or infinity"

Values = Sequence[Score] | Array


def labelled_clips(context: EvalContext) -> list[Clip]:
    """The test clips whose speaker or language is known, LIMIT at most; any where none is."""
    clips = list(context.split(TEST))
    labelled = [clip for clip in clips if clip.speaker or clip.language]
    return select_clips(labelled or clips, TEST, LIMIT)


def cells(context: EvalContext, clip: Clip) -> list[Cell]:
    """What every clip has a row of."""
    by_label = [f"{kind}_{measure}" for kind in KINDS for measure in OF_LABEL]
    return [(CONDITION, metric) for metric in (*OF_CLIP, *by_label)]


def measure(batches: Iterator[Batch], context: EvalContext) -> Iterator[list[Row]]:
    """The rows of every clip and of the set, once the last batch is encoded."""
    clips, sequences = [], []
    for batch in batches:
        for sample, latents in zip(batch.samples, batch.clip_latents, strict=True):
            if bool(torch.isfinite(latents).all()):
                clips.append(sample.clip)
                sequences.append(latents.float().numpy().copy())
            else:
                metrics = cells(context, sample.clip)
                yield [Row(sample.name, *cell, math.nan, BROKEN) for cell in metrics]
    shape = (int(context.model.config["latent_channels"]), context.model.latent_bins)
    latent_set = LatentSet(clips, sequences, shape)
    yield clip_rows(latent_set)
    for kind in KINDS:
        yield label_rows(latent_set, kind)
    yield set_rows(latent_set)


def clip_rows(latents: LatentSet) -> list[Row]:
    """Where each clip lies on the map, and how fast its latents change."""

    def energies() -> list[Score]:
        mean, std = latents.frames.mean(axis=0), latents.frames.std(axis=0)
        clips = range(len(latents.clips))
        return [
            score(latent_statistics.spectral_energy, latents.flat(clip), mean, std)
            for clip in clips
        ]

    return [
        *rows(latents.names, "tsne_1", lambda: latents.map[:, 0]),
        *rows(latents.names, "tsne_2", lambda: latents.map[:, 1]),
        *rows(latents.names, "sec", energies),
    ]


def label_rows(latents: LatentSet, kind: str) -> list[Row]:
    """How well the clips' speakers or languages are told apart."""
    found = latents.labelled(kind)
    points, labels, groups = found.points, found.labels, found.groups
    measures: dict[str, Callable[[], Values]] = {
        "probe": lambda: linear_probe(points, labels, groups),
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
        "dispersive": lambda: latent_statistics.dispersive(latents.starts),
        "dispersive_floor": lambda: 1 / latents.starts.shape[1],
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


def series(count: int, measured: Callable[[], Values]) -> list[Score]:
    """So many scores of one measure; where it fails as a whole, its reason as many times."""
    found: list[Score] = []

    def run() -> float:
        found.extend(one if isinstance(one, Score) else score(float, one) for one in measured())
        return 0.0

    failed = score(run) if count else Score(math.nan)
    return found or [failed] * count


EVALUATOR = Evaluator(
    name="latents",
    version=1,
    measure=measure,
    cells=cells,
    clips=labelled_clips,
    libraries=("scikit-learn",),
    by_clip=False,
)
