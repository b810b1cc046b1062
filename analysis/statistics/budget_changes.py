"""How the effect that a claim is about changes with the training budget."""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from analysis.statistics.comparisons import Comparison
from analysis.statistics.contrasts import Weights, difference
from analysis.statistics.differences import NOTHING, Estimate
from analysis.statistics.measured import margin_of, measure
from analysis.statistics.study_runs import Study
from analysis.statistics.verdicts import holm, is_clear
from dcvae.claims import STUDY


class BudgetChange(NamedTuple):
    """One row of budget_changes.csv.

    The difference is the claim's effect after `longer` steps minus that after `shorter`. Of a
    factor of a factorial the effect is the simple one, of the part taken out of the full design.
    """

    claim: str
    condition: str
    metric: str
    shorter: int  # steps; 0 where no two budgets have two seeds in common
    longer: int
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    clear: bool
    seeds: int
    clips: int


class Effect(NamedTuple):
    """A claim's effect at one training budget."""

    steps: int
    weights: Weights
    margin: float


class Change(NamedTuple):
    """Between two budgets, with the smaller of the margins there."""

    shorter: int
    longer: int
    estimate: Estimate
    margin: float


UNTESTED = Change(0, 0, NOTHING, 0.0)


def find_budget_changes(
    study: Study, comparisons: Sequence[Comparison], alpha: float
) -> list[BudgetChange]:
    """Every claim of the family that is asked at two budgets, between the furthest of them.

    A seed is paired with itself at the other budget. Holm-corrected among themselves, those that
    cannot be tested yet included. A change is clear where its corrected p is below `alpha` and it
    is not negligible, within the smaller of the claim's margins at the two budgets.
    """
    by_claim: dict[str, list[Comparison]] = {}
    for one in comparisons:
        if one.family == STUDY:
            by_claim.setdefault(one.claim.id, []).append(one)
    groups = [group for group in by_claim.values() if len(group) > 1]
    changes = [furthest(study, group) for group in groups]
    corrected = holm([one.estimate.p for one in changes])
    return [
        BudgetChange(
            group[0].claim.id, *group[0].cell, change.shorter, change.longer,
            change.estimate.value, *change.estimate.interval(), change.estimate.p, p_holm,
            is_clear(change.estimate, change.margin, p_holm, alpha),
            change.estimate.n_seeds, change.estimate.n_clips,
        )
        for group, change, p_holm in zip(groups, changes, corrected, strict=True)
    ]  # fmt: skip


def furthest(study: Study, group: Sequence[Comparison]) -> Change:
    """Of one claim's budgets the two furthest apart that have two seeds in common."""
    found = [effect for one in group for effect in effects_of(study, one)]
    pairs = combinations(sorted(found, key=lambda one: one.steps), 2)
    for first, last in sorted(pairs, key=lambda pair: pair[0].steps - pair[1].steps):
        before = {system: -weight for system, weight in first.weights.items()}
        change = measure(study, group[0].cell, last.weights | before).estimate
        if change.is_repeated:
            return Change(first.steps, last.steps, change, min(first.margin, last.margin))
    return UNTESTED


def effects_of(study: Study, one: Comparison) -> list[Effect]:
    """That of a comparison; none where two seeds have not measured it, or its steps are unknown."""
    steps, weights = one.budget or study.steps, difference(one.system, one.against)
    simple = measure(study, one.cell, weights)
    if steps is None or not simple.estimate.is_repeated:
        return []
    return [Effect(steps, weights, margin_of(one.claim, simple))]
