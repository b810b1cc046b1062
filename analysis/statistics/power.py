"""How many seeds and clips would decide a claim, and how often A against A gets a verdict.

The parts of the variance are taken as known, and the true effect as what was estimated. Power of
the two-sided test is that of the noncentral t; of two one-sided tests, Phillips' (1990) formula
with the central t.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from analysis.statistics.differences import ALPHA, Array, Estimate, Part, estimate

POWER = 0.8
MOST_SEEDS = 50
CLIP_FACTORS = (1, 2, 4, 8, 16)
DRAWS = 200  # of a system against itself


@dataclass(frozen=True)
class Needed:
    """Seeds and clips in all; NaN where no affordable number decides."""

    seeds: float = math.nan
    clips: float = math.nan


def needed_to_decide(one: Estimate, margin: float, alpha: float, alpha_test: float) -> Needed:
    """The fewest seeds, and then clips, with which a claim is decided at 80% power.

    `alpha_test` is the level of the two-sided test, Holm's first step for a family; `alpha` that of
    the two one-sided tests.
    """
    if not one.is_repeated or not one.n_clips:
        return Needed()
    for factor in CLIP_FACTORS if one.clips.variance else (1,):
        for seeds in range(one.n_seeds + (factor == 1), MOST_SEEDS + 1):
            planned = plan(one, seeds, factor)
            power = max(
                power_of_test(planned, alpha_test), power_of_equivalence(planned, margin, alpha)
            )
            if power >= POWER:
                return Needed(seeds, factor * one.n_clips)
    return Needed()


def seeds_to_see(one: Estimate) -> float:
    """The fewest seeds with which the two-sided test at 5% has 80% power on the same clips.

    The truth is taken to be `one.value`. NaN where no affordable number does.
    """
    for seeds in range(2, MOST_SEEDS + 1):
        if power_of_test(plan(one, seeds)) >= POWER:
            return seeds
    return math.nan


def plan(one: Estimate, seeds: int, clip_factor: float = 1) -> Estimate:
    """The estimate as it would be with other numbers of seeds and clips."""
    return replace(
        one,
        seeds=Part(one.seeds.variance * one.n_seeds / seeds, seeds - 1),
        clips=Part(one.clips.variance / clip_factor, (one.clips.df + 1) * clip_factor - 1),
        n_seeds=seeds,
        n_clips=round(one.n_clips * clip_factor),
    )


def power_of_test(one: Estimate, alpha: float = ALPHA) -> float:
    """The chance that |estimate| exceeds the half-width where the truth is `one.value`."""
    from scipy import stats  # takes a second

    error = one.standard_error
    if error == 0:
        return float(one.value != 0)
    critical, shift = one.half_width(alpha) / error, abs(one.value) / error
    # Both tails by sf: SciPy's cdf far below a large shift is NaN.
    return float(sum(stats.nct.sf(critical, one.df, side) for side in (shift, -shift)))


def power_of_equivalence(one: Estimate, margin: float, alpha: float = ALPHA) -> float:
    """The chance that the interval of level 1 - 2 alpha lies inside +-margin.

    The truth is taken to be `one.value`.
    """
    from scipy import stats  # takes a second

    error = one.standard_error
    if error == 0:
        return float(abs(one.value) < margin)
    critical = one.half_width(2 * alpha) / error
    below, above = (
        stats.t.cdf((margin + sign * one.value) / error - critical, one.df) for sign in (1, -1)
    )
    return max(0.0, float(below + above - 1))


def against_itself(values: Array, speakers: Array, seeds: int) -> Iterator[float]:
    """The p-values of one system against itself, from its values [S, C] at S seeds.

    Each pair of disjoint sets of `seeds` of them plays two systems; their seeds have nothing in
    common, so this is the harder case of a comparison of unlike trainings.
    """
    generator = np.random.default_rng(0)
    for _ in range(DRAWS):
        order = generator.permutation(len(values))
        first, second = order[:seeds], order[seeds : 2 * seeds]
        yield estimate(values[first] - values[second], speakers).p
