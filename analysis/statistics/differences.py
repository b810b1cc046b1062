"""The model of a difference between systems that were trained with the same seeds.

For one metric, d[s, c] is the contrast of the systems at training seed s on clip c: for two systems
y_a - y_b, for a main effect the mean of some systems minus that of others. It is modelled as
mean + seed effect + clip effect + residual, seeds and clips crossed and random (Clark, 1973; Baayen
et al., 2008). The estimate is the mean of d, and its variance has two parts:

- seeds: the variance of d's means by seed, over S, with S - 1 degrees of freedom. It holds the
  residual's share too.
- clips: the variance of d's means by clip over the clips, speakers being clusters of clips, less
  the residual's share, which the first part has already.

The interval's half-width is the root of t_seeds^2 V_seeds + t_clips^2 V_clips (Howe, 1974), each t
with its own degrees of freedom. One t with Satterthwaite's (1946) number for the sum is too short
for few seeds: their part is often far too small by chance, and the number then grows to the clips'.
That number (`df`) plans studies, where the parts are taken as known.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

Array = npt.NDArray[Any]

ALPHA = 0.05
SMALLEST_P = 1e-12  # what lies below is written as this


@dataclass(frozen=True)
class Part:
    """One part of a variance, with its degrees of freedom."""

    variance: float
    df: float


NO_PART = Part(0.0, math.inf)


@dataclass(frozen=True)
class Estimate:
    """A difference, or a system's own value, with what its interval is made of.

    With one seed `is_repeated` is false: nothing is known of another training, and the interval
    speaks of these weights alone.
    """

    value: float
    seeds: Part  # falls with more seeds
    clips: Part  # falls with more clips
    n_seeds: int
    n_clips: int

    @property
    def is_repeated(self) -> bool:
        return self.n_seeds > 1

    @property
    def standard_error(self) -> float:
        return math.sqrt(self.seeds.variance + self.clips.variance)

    @property
    def df(self) -> float:
        return satterthwaite((self.seeds, self.clips))

    def half_width(self, alpha: float = ALPHA) -> float:
        """Of the two-sided interval of level 1 - alpha."""
        parts = (part for part in (self.seeds, self.clips) if part.variance > 0)
        return math.sqrt(
            sum(special.stdtrit(part.df, alpha / 2) ** 2 * part.variance for part in parts)
        )

    def interval(self, alpha: float = ALPHA) -> tuple[float, float]:
        """Low and high; NaN where one clip and one seed give none."""
        if self.n_seeds < 2 and self.n_clips < 2:
            return math.nan, math.nan
        half = self.half_width(alpha)
        return self.value - half, self.value + half

    @property
    def p(self) -> float:
        """Two-sided, of "no difference": the interval of level 1 - p ends at zero.

        NaN with one seed, which tests nothing of a method.
        """
        if not self.is_repeated:
            return math.nan
        distance = abs(self.value)
        if distance <= self.half_width(1.0):
            return 1.0
        if distance >= self.half_width(SMALLEST_P):
            return SMALLEST_P
        return math.exp(
            optimize.brentq(
                lambda log_p: self.half_width(math.exp(log_p)) - distance,
                math.log(SMALLEST_P),
                0.0,
            )
        )


NOTHING = Estimate(math.nan, NO_PART, NO_PART, 0, 0)


def satterthwaite(parts: Sequence[Part]) -> float:
    """Degrees of freedom of a sum of independent variances: sum^2 over the sum of part^2 / df."""
    below = sum(part.variance**2 / part.df for part in parts)
    return sum(part.variance for part in parts) ** 2 / below if below else math.inf


def estimate(contrast: Array, speakers: Array) -> Estimate:
    """The mean of `contrast` [S, C] over seeds and clips, with its variance.

    `speakers` [C] numbers the clips' speakers; a clip without a known one has a number of its own.
    """
    seeds, clips = contrast.shape
    if not seeds or not clips:
        return NOTHING
    by_seed, by_clip = contrast.mean(axis=1), contrast.mean(axis=0)
    value = float(by_seed.mean())
    between_clips = cluster_part(by_clip, speakers)
    if seeds == 1:
        return Estimate(value, NO_PART, between_clips, seeds, clips)
    between_seeds = Part(float(by_seed.var(ddof=1)) / seeds, seeds - 1)
    if clips > 1:
        rest = contrast - by_seed[:, None] - by_clip[None, :] + value
        df = (seeds - 1) * (clips - 1)
        residual = float(np.square(rest).sum()) / df / (seeds * clips)
        left = between_clips.variance - residual
        between_clips = Part(left, between_clips.df) if left > 0 else NO_PART
    return Estimate(value, between_seeds, between_clips, seeds, clips)


def cluster_part(by_clip: Array, speakers: Array) -> Part:
    """The variance of the mean of `by_clip` [C] where the speakers are independent draws.

    The squared sums of the speakers' deviations over C^2 (Liang and Zeger, 1986), over 1 - 1 / G,
    which makes it unbiased for independent clips, with G - 1 degrees of freedom: G is the effective
    number of speakers, C^2 / sum of their clips^2 (Kish, 1965). Where all clips are of one
    speaker, that voice is all that is spoken of, and its clips are the draws.
    """
    clips = len(by_clip)
    if clips < 2:
        return NO_PART
    _, numbers = np.unique(speakers, return_inverse=True)
    if numbers.max() == 0:
        numbers = np.arange(clips)
    sums = np.bincount(numbers, weights=by_clip - by_clip.mean())
    effective = clips**2 / float(np.square(np.bincount(numbers)).sum())
    return Part(float(np.square(sums).sum()) / clips**2 / (1 - 1 / effective), effective - 1)
