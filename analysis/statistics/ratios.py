"""A run's table as ratios over clips: a mean, or errors over words at corpus level."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

Array = npt.NDArray[Any]
Cell = tuple[str, str]  # condition, metric

ERRORS, TOTAL = "_errors", "_total"  # X_errors and X_total of each clip form the rate X
WHOLE_SET = ""  # the clip of a measurement of the whole set
COORDINATES = ("tsne_1", "tsne_2")  # places on a map, whose mean means nothing


@dataclass(frozen=True)
class Ratio:
    """One metric in one condition of one run, by clip; NaN over NaN where it failed."""

    clips: tuple[str, ...]  # in order
    numerator: Array
    denominator: Array
    reason: str = ""  # the most frequent one of failures

    @property
    def scored(self) -> Array:
        """Which clips [N] have a value."""
        result: Array = np.isfinite(self.numerator) & np.isfinite(self.denominator)
        return result

    def on(self, clips: tuple[str, ...]) -> "Ratio":
        """The same on other clips: those that have no row here are NaN over NaN."""
        if clips == self.clips:
            return self
        places = {clip: number for number, clip in enumerate(self.clips)}
        chosen = np.array([places.get(clip, -1) for clip in clips], dtype=int)
        above, below = (np.append(part, np.nan)[chosen] for part in self.parts)
        return Ratio(clips, above, below, self.reason)

    @property
    def parts(self) -> tuple[Array, Array]:
        return self.numerator, self.denominator

    @property
    def n_scored(self) -> int:
        return int(self.scored.sum())

    @property
    def n_failed(self) -> int:
        return len(self.clips) - self.n_scored


def find_ratios(table: pd.DataFrame) -> dict[Cell, Ratio]:
    """Every metric of one run's table (analysis/outputs/table.py) in each condition.

    X_errors and X_total become X in place of a mean of that name. A measurement of the whole set
    stands beside no clip's: where a metric has both, the clips' count. ValueError for a clip with
    two values.
    """
    table = table[~table["metric"].isin(COORDINATES)]
    clips, reasons = (table[name].to_numpy(str) for name in ("clip", "reason"))
    values = table["value"].to_numpy(float)
    found: dict[Cell, Ratio] = {}
    known: dict[tuple[str, ...], tuple[str, ...]] = {}
    for key, rows in table.groupby(["condition", "metric"], observed=True).indices.items():
        condition, metric = cast(Cell, key)
        ratio = mean_ratio(clips[rows], values[rows], reasons[rows])
        names = known.setdefault(ratio.clips, ratio.clips)  # one copy of them
        if len(set(names)) < len(names):
            raise ValueError(f"a clip has two values of {condition}/{metric}")
        found[condition, metric] = replace(ratio, clips=names)
    for condition, metric in list(found):
        name = metric.removesuffix(ERRORS)
        if name != metric and (condition, name + TOTAL) in found:
            errors, total = found.pop((condition, metric)), found.pop((condition, name + TOTAL))
            found[condition, name] = rate(errors, total)
    return dict(sorted(found.items()))


def mean_ratio(clips: Array, values: Array, reasons: Array) -> Ratio:
    """The rows of one metric in one condition as a mean over clips; all three are [N]."""
    of_clips = clips != WHOLE_SET
    if of_clips.any():
        clips, values, reasons = (column[of_clips] for column in (clips, values, reasons))
    order = np.argsort(clips, kind="stable")
    scored = np.isfinite(values[order])
    return Ratio(
        tuple(clips[order].tolist()),
        np.where(scored, values[order], np.nan),
        np.where(scored, 1.0, np.nan),
        most_frequent(reasons[order][~scored]),
    )


def rate(errors: Ratio, total: Ratio) -> Ratio:
    """Errors over totals; a clip that lacks one of them has failed."""
    clips = tuple(sorted({*errors.clips, *total.clips}))
    errors, total = errors.on(clips), total.on(clips)
    scored = errors.scored & total.scored
    above, below = (np.where(scored, one.numerator, np.nan) for one in (errors, total))
    return Ratio(clips, above, below, errors.reason or total.reason)


def most_frequent(reasons: Sequence[str] | Array) -> str:
    """The most frequent reason given; of equally frequent ones the first in the alphabet."""
    counted = Counter(str(reason) for reason in reasons if reason)
    return min(counted, key=lambda one: (-counted[one], one), default="")


def common_clips(ratios: Sequence[Ratio]) -> tuple[str, ...]:
    """The clips that every one of these has a value of, in order."""
    clips = ratios[0].clips
    if any(one.clips != clips for one in ratios):
        shared = set(clips).intersection(*(one.clips for one in ratios))
        clips = tuple(clip for clip in clips if clip in shared)
    scored = np.all([one.on(clips).scored for one in ratios], axis=0)
    return tuple(clip for clip, known in zip(clips, scored, strict=True) if known)


def values_on(ratio: Ratio, clips: tuple[str, ...]) -> Array:
    """A value for each clip [C], of which the mean is the metric on these clips.

    Of a mean they are the clips' own. Of a rate R = sum N / sum D they are
    R + (N - R D) / mean D, whose deviations from R are its influence values (the delta method).
    NaN where no denominator is left, as of a text without words.
    """
    above, below = ratio.on(clips).parts
    if not below.any():
        return np.full(len(clips), np.nan)
    rate = above.sum() / below.sum()
    values: Array = rate + (above - rate * below) / below.mean()
    return values
