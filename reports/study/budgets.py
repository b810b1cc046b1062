"""What taking a part away does after other numbers of training steps than the size's own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dcvae.system_names import split_name
from reports.study.claims import Claim
from reports.study.results import DECIDED, Estimate


@dataclass(frozen=True)
class BudgetEffect:
    """A claim at one training budget, in the unit of its metric."""

    steps: int
    effect: Estimate  # of taking the part out of the full design
    margin: float
    verdict: str  # on it


@dataclass(frozen=True)
class BudgetTrend:
    """One claim at several training budgets, the shortest first."""

    claim: Claim  # at the first of them that the study lists
    effects: list[BudgetEffect]  # those that were measured

    @property
    def ablation(self) -> str:
        return split_name(self.claim.system)[0]

    @property
    def decided(self) -> dict[int, str]:
        """The verdicts by steps, where there is one."""
        return {one.steps: one.verdict for one in self.effects if one.verdict in DECIDED}

    @property
    def changes(self) -> bool:
        """Whether two budgets decide the claim differently."""
        return len(set(self.decided.values())) > 1


def at_first_budget(claims: Sequence[Claim]) -> list[Claim]:
    """Each claim once: at the first budget at which it was measured."""
    return [first_measured(group) for group in by_budget(claims)]


def first_measured(group: Sequence[Claim]) -> Claim:
    return next((one for one in group if one.difference.known), group[0])


def find_trends(claims: Sequence[Claim], steps: int | None) -> list[BudgetTrend]:
    """Every claim that was measured at two budgets or more; `steps` are the size's own."""
    trends = []
    for group in by_budget(claims):
        found = (one for claim in group for one in effect_of(claim, steps))
        effects = sorted(found, key=lambda one: one.steps)
        if len(effects) > 1:
            trends.append(BudgetTrend(first_measured(group), effects))
    return trends


def by_budget(claims: Sequence[Claim]) -> list[list[Claim]]:
    """The claims in groups that differ by the budget of their systems alone."""
    groups: dict[tuple[str, ...], list[Claim]] = {}
    for one in claims:
        systems = split_name(one.system)[0], split_name(one.against)[0]
        groups.setdefault((*systems, one.what), []).append(one)
    return list(groups.values())


def effect_of(claim: Claim, steps: int | None) -> Iterator[BudgetEffect]:
    """The claim at its budget; nothing where it was not measured, or its steps are unknown."""
    effect, verdict = claim.difference, claim.verdict
    if claim.is_main_effect:
        effect, verdict = claim.alone, claim.verdict_alone
    budget = split_name(claim.system)[1] or steps
    if budget and effect.known:
        yield BudgetEffect(budget, effect, claim.margin, verdict)


def sentences(trends: Sequence[BudgetTrend]) -> Iterator[str]:
    """Each verdict that changes with the budget, or that none does."""
    if not trends:
        return
    changing = [one for one in trends if one.changes]
    for one in changing:
        verdicts = ", ".join(f"{said} at {steps:,} steps" for steps, said in one.decided.items())
        yield f"The verdict on {one.ablation}, {one.claim.what}, changes: {verdicts}."
    if not changing:
        yield "No two budgets decide a claim differently."
