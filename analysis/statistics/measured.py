"""Contrasts and values as the runs of a study have them, on the seeds and clips in common."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.statistics.contrasts import Weights
from analysis.statistics.differences import NOTHING, Estimate, estimate
from analysis.statistics.ratios import Array, Cell, Ratio, common_clips, values_on
from analysis.statistics.study_runs import Study
from dcvae.claims import Claim


@dataclass(frozen=True)
class Measured:
    """A contrast with the means of its two sides, on the same seeds and clips."""

    value: float
    baseline: float
    estimate: Estimate


UNMEASURED = Measured(math.nan, math.nan, NOTHING)


def measure(study: Study, cell: Cell, weights: Weights) -> Measured:
    """The contrast sum(weights * systems), paired by seed and clip."""
    ratios = {system: study.ratios(system, cell) for system in weights}
    seeds = sorted(set.intersection(*(set(found) for found in ratios.values())))
    if not seeds:
        return UNMEASURED
    by_seed = [[ratios[system][seed] for system in weights] for seed in seeds]
    clips = common_clips([one for each in by_seed for one in each])
    if not clips:
        return UNMEASURED
    values = np.array([[values_on(one, clips) for one in each] for each in by_seed])  # [S, A, C]
    if not np.isfinite(values).all():
        return UNMEASURED
    signs = np.array(list(weights.values()))
    above, below = (
        float(np.tensordot(side, values.mean(axis=(0, 2)), 1))
        for side in (signs.clip(min=0), -signs.clip(max=0))
    )
    contrast = np.tensordot(values, signs, axes=(1, 0))  # [S, C]
    return Measured(above, below, estimate(contrast, clusters(clips, study.speakers)))


def system_estimate(ratios: Mapping[int, Ratio], speakers: Mapping[str, str]) -> Estimate:
    """A system's own value over its seeds; a rate, or a mean, of all that every seed scored.

    `ratios` are by seed, `speakers` by clip.
    """
    if not ratios:
        return NOTHING
    clips = common_clips(list(ratios.values()))
    values = np.array([values_on(one, clips) for one in ratios.values()])
    if not clips or not np.isfinite(values).all():
        return NOTHING
    return estimate(values, clusters(clips, speakers))


def clusters(clips: Sequence[str], speakers: Mapping[str, str]) -> Array:
    """The speaker of each clip [C]; a clip whose speaker has no name is one of its own."""
    return np.array([speakers.get(clip) or f"clip {clip}" for clip in clips])


def margin_of(claim: Claim, found: Measured) -> float:
    """In the unit of the metric: some claims state a share of the other side's value."""
    return claim.margin * abs(found.baseline) if claim.margin_is_relative else claim.margin
