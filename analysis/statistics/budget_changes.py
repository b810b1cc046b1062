"""How the effect that a claim is about changes with the training budget."""

from collections.abc import Sequence
from typing import NamedTuple

from analysis.statistics.comparisons import Comparison
from analysis.statistics.contrasts import difference
from analysis.statistics.measured import margin_of, measure
from analysis.statistics.study_runs import Study
from analysis.statistics.verdicts import holm, is_negligible
from dcvae.claims import STUDY


class BudgetChange(NamedTuple):
    """One row of budget_changes.csv.

    The difference is the claim's effect after `longer` steps minus that after `shorter`. Of a
    factor of a factorial the effect is the simple one, of the part taken out of the full design.
    """

    claim: str
    condition: str
    metric: str
    shorter: int  # steps
    longer: int
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    clear: bool
    seeds: int
    clips: int


def find_budget_changes(
    study: Study, comparisons: Sequence[Comparison], alpha: float
) -> list[BudgetChange]:
    """The claims of the family, each between the shortest and the longest budget with two seeds.

    A seed is paired with itself at the other budget. Holm-corrected among themselves; a change is
    clear where its corrected p is below `alpha` and it is not negligible, within the smaller of the
    claim's margins at the two budgets.
    """
    by_claim: dict[str, list[Comparison]] = {}
    for one in comparisons:
        if one.family == STUDY:
            by_claim.setdefault(one.claim.id, []).append(one)
    rows = []
    for group in by_claim.values():
        rows += between_extremes(study, group, alpha)
    corrected = holm([one.p for one in rows])
    return [
        one._replace(p_holm=p_holm, clear=one.clear and p_holm < alpha)
        for one, p_holm in zip(rows, corrected, strict=True)
    ]


def between_extremes(study: Study, group: Sequence[Comparison], alpha: float) -> list[BudgetChange]:
    """The row of one claim, whose comparisons differ by their budgets; none where it has one.

    `p_holm` is not corrected yet, and `clear` says that the change is not negligible.
    """
    found = {}
    for one in group:
        steps, effect = one.budget or study.steps, difference(one.system, one.against)
        simple = measure(study, one.cell, effect)
        if steps is not None and simple.estimate.is_repeated:
            found[steps] = effect, margin_of(one.claim, simple)
    if len(found) < 2:
        return []
    shorter, longer = min(found), max(found)
    (before, first_margin), (after, last_margin) = found[shorter], found[longer]
    weights = after | {system: -weight for system, weight in before.items()}
    change = measure(study, group[0].cell, weights).estimate
    if not change.is_repeated:
        return []
    notable = not is_negligible(change, min(first_margin, last_margin), alpha)
    return [
        BudgetChange(
            group[0].claim.id, *group[0].cell, shorter, longer, change.value, *change.interval(),
            change.p, change.p, notable, change.n_seeds, change.n_clips,
        )
    ]  # fmt: skip
