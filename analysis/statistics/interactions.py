"""The two-factor interactions of a factorial, in the metrics of its claims."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from analysis.statistics import contrasts
from analysis.statistics.comparisons import MAIN_EFFECT, Comparison, factorial
from analysis.statistics.measured import margin_of, measure
from analysis.statistics.ratios import Cell
from analysis.statistics.study_runs import Study
from analysis.statistics.verdicts import holm, is_clear


class Interaction(NamedTuple):
    """One row of interactions.csv.

    The difference is the factor's effect where the other is taken away, minus that where it is in
    place.
    """

    condition: str
    metric: str
    factor: str
    other: str
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    clear: bool
    seeds: int
    clips: int


def factorial_cells(
    study: Study, comparisons: Sequence[Comparison]
) -> dict[tuple[int | None, Cell], float]:
    """By budget and metric of main effects, the smallest margin that is claimed of it."""
    found: dict[tuple[int | None, Cell], float] = {}
    for one in comparisons:
        if one.contrast != MAIN_EFFECT:
            continue
        margin = margin_of(one.claim, measure(study, one.cell, one.weights))
        key = one.budget, one.cell
        found[key] = min(found.get(key, math.inf), margin)
    return found


def find_interactions(
    study: Study, budget: int | None, cell: Cell, margin: float, alpha: float
) -> list[Interaction]:
    """The two-factor interactions in one metric, Holm-corrected among themselves.

    One is clear where its corrected p is below `alpha` and it is not negligible.
    """
    assert study.plan is not None
    cells = factorial(study, budget)
    pairs = contrasts.pairs(study.plan.factors)
    found = [measure(study, cell, contrasts.interaction(pair, cells)).estimate for pair in pairs]
    corrected = holm([one.p for one in found])
    return [
        Interaction(
            *cell, *pair, one.value, *one.interval(), one.p, p_holm,
            is_clear(one, margin, p_holm, alpha), one.n_seeds, one.n_clips,
        )
        for pair, one, p_holm in zip(pairs, found, corrected, strict=True)
    ]  # fmt: skip


def depends_on(comparison: Comparison, interactions: Sequence[Interaction]) -> list[str]:
    """The factors on which a main effect clearly depends."""
    factor = comparison.claim.ablation
    return [
        one.other if one.factor == factor else one.factor
        for one in interactions
        if one.clear and (one.condition, one.metric) == comparison.cell
        if comparison.contrast == MAIN_EFFECT and factor in (one.factor, one.other)
    ]
