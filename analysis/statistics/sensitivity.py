"""How small a difference each measure can see: its variances over all systems of a study.

Every system differs from the baseline of its training budget, at the same seeds and clips, and each
difference has its two parts of the variance (differences.py). The parts are averaged over the
systems, weighted by their seeds' degrees of freedom, and taken as known for a study of SEEDS seeds
and CLIPS clips, as in power.py. A main effect, which averages several differences, sees more.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.statistics.comparisons import find_comparisons
from analysis.statistics.contrasts import difference
from analysis.statistics.differences import NOTHING, Estimate, Part
from analysis.statistics.measured import margin_of, measure, system_estimate
from analysis.statistics.power import POWER, plan, power_of_test, seeds_to_see
from analysis.statistics.ratios import WHOLE_SET, Cell
from analysis.statistics.study_runs import Study, cells
from dcvae.claims import BASELINE
from dcvae.system_names import system_name

SEEDS, CLIPS = 5, 100


@dataclass(frozen=True)
class Sensitivity:
    """What a measure can see; NaN where no system has two seeds in common with the baseline."""

    cell: Cell
    margin: float  # the smallest that is claimed, in the metric's unit; NaN where none is
    systems: int  # whose differences are pooled
    pooled: Estimate  # a difference of one margin, at SEEDS seeds and at least CLIPS clips
    baseline: Estimate  # the baseline's own value

    @property
    def sd_seeds(self) -> float:
        """Of the paired difference, between seeds, on the clips that were measured."""
        return deviation(self.pooled.seeds, self.pooled)

    @property
    def sd_clips(self) -> float:
        """Of the paired difference, between clips: speakers are clusters, seeds' chance is out."""
        return math.sqrt(self.pooled.clips.variance * self.pooled.n_clips)

    @property
    def sd_baseline(self) -> float:
        """Of the baseline's own value, between seeds."""
        return deviation(self.baseline.seeds, self.baseline)

    @property
    def half_width(self) -> float:
        """Of the 95% interval."""
        return self.pooled.half_width() if self.systems else math.nan

    @property
    def is_seen(self) -> bool:
        """Whether a difference of one margin is told from none at 80% power, uncorrected."""
        return self.systems > 0 and power_of_test(self.pooled) >= POWER

    @property
    def seeds_needed(self) -> float:
        """For that, on the same clips; NaN where no affordable number does."""
        return seeds_to_see(self.pooled) if self.systems else math.nan


def deviation(part: Part, one: Estimate) -> float:
    """The standard deviation between seeds; NaN of fewer than two."""
    return math.sqrt(part.variance * one.n_seeds) if one.is_repeated else math.nan


def find_sensitivities(study: Study, every: bool = False) -> list[Sensitivity]:
    """Of the metrics of all claims, and with `every` of all that clips have a value of."""
    margins = claimed_margins(study)
    others = [cell for cell in cells(study.analysed) if every and is_by_clip(study, cell)]
    found = [find_sensitivity(study, cell, margins.get(cell, math.nan))
             for cell in dict.fromkeys([*margins, *others])]  # fmt: skip
    return [one for one in found if one.cell in margins or one.pooled.standard_error > 0]


def find_sensitivity(study: Study, cell: Cell, margin: float) -> Sensitivity:
    """Of one measure, over all systems that are paired with the baseline at two seeds or more."""
    pairs = {
        run.system: system_name(BASELINE, run.budget)
        for run in study.analysed
        if run.ablation != BASELINE
    }
    found = [measure(study, cell, difference(*pair)).estimate for pair in pairs.items()]
    repeated = [one for one in found if one.is_repeated]
    pooled = replace(pool(repeated), value=margin)
    own = system_estimate(study.ratios(BASELINE, cell), study.speakers)
    return Sensitivity(cell, margin, len(repeated), pooled, own)


def pool(estimates: Sequence[Estimate]) -> Estimate:
    """Their variances averaged, at SEEDS seeds and CLIPS clips, or as many clips as they have.

    A measure of the whole set stays as it is: more clips would change what it measures.
    """
    if not estimates:
        return NOTHING
    planned = [
        plan(one, SEEDS, max(1.0, CLIPS / one.n_clips) if one.n_clips > 1 else 1.0)
        for one in estimates
    ]
    weights = [one.seeds.df for one in estimates]
    seeds, clips = (
        float(np.average([part.variance for part in parts], weights=weights))
        for parts in zip(*((one.seeds, one.clips) for one in planned), strict=True)
    )
    return replace(
        planned[0],
        seeds=Part(seeds, SEEDS - 1),
        clips=Part(clips, min(one.clips.df for one in planned)),
        n_clips=round(min(one.n_clips for one in planned)),
    )


def claimed_margins(study: Study) -> dict[Cell, float]:
    """The smallest margin that is claimed of each metric, in its unit."""
    found: dict[Cell, float] = {}
    for one in find_comparisons(study):
        margin = margin_of(one.claim, measure(study, one.cell, one.weights))
        found[one.cell] = float(np.fmin(found.get(one.cell, math.nan), margin))
    return found


def is_by_clip(study: Study, cell: Cell) -> bool:
    """Whether some run has a value of it for single clips."""
    ratios = [run.ratios[cell] for run in study.analysed if run.ratios and cell in run.ratios]
    return any(one.n_scored and one.clips != (WHOLE_SET,) for one in ratios)
