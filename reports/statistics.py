"""Means over clips with bootstrap intervals. NaN is counted and enters no mean."""

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

DRAWS = 10_000
SEED = 0
LEVEL = 0.95

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Estimate:
    """A mean over clips, its 95% interval, and how many measurements are behind it."""

    mean: float
    low: float
    high: float
    n_scored: int
    n_failed: int = 0

    @property
    def known(self) -> bool:
        return not math.isnan(self.mean)

    @property
    def clear(self) -> bool:
        """For a difference: whether its interval leaves zero out."""
        return self.known and (self.low > 0 or self.high < 0)


NOTHING = Estimate(math.nan, math.nan, math.nan, 0)


@cache
def resamples(count: int) -> Array:
    """How often each of `count` clips is in each draw, over `count`: [DRAWS, count]."""
    generator = np.random.default_rng(SEED)
    return generator.multinomial(count, np.full(count, 1 / count), size=DRAWS) / count


def bootstrap_mean(values: Array, n_failed: int = 0) -> Estimate:
    """Percentile bootstrap of the mean of finite values [N] (Efron, 1979); no interval for one."""
    if len(values) == 0:
        return Estimate(math.nan, math.nan, math.nan, 0, n_failed)
    mean = float(np.mean(values))
    if len(values) == 1:
        return Estimate(mean, math.nan, math.nan, 1, n_failed)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(resamples(len(values)) @ values, [tail, 1 - tail])
    return Estimate(mean, float(low), float(high), len(values), n_failed)


def by_clip(table: pd.DataFrame, ablation: str | None, condition: str, metric: str) -> pd.Series:
    """Each clip's value, the mean over seeds (and over runs where `ablation` is None)."""
    rows = select(table, ablation, condition, metric)
    return rows.groupby("clip")["value"].mean().dropna().sort_index()


def select(table: pd.DataFrame, ablation: str | None, condition: str, metric: str) -> pd.DataFrame:
    """The rows of one metric in one condition, of one ablation or (None) of all."""
    chosen = (table["condition"] == condition) & (table["metric"] == metric)
    return table[chosen if ablation is None else chosen & (table["ablation"] == ablation)]


def estimate(table: pd.DataFrame, ablation: str | None, condition: str, metric: str) -> Estimate:
    """The mean over clips; a clip has failed where no run has a value for it."""
    values = by_clip(table, ablation, condition, metric)
    clips = select(table, ablation, condition, metric)["clip"].nunique()
    return bootstrap_mean(values.to_numpy(), clips - len(values))


def paired_difference(
    table: pd.DataFrame, first: str, second: str, condition: str, metric: str
) -> Estimate:
    """Mean of `first` minus `second` over the clips that both ablations have."""
    one, other = (by_clip(table, name, condition, metric) for name in (first, second))
    return bootstrap_mean((one - other).dropna().to_numpy())
