"""A claim at several training budgets: trainings of other numbers of steps, each on its own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dcvae.claims import BASELINE
from dcvae.system_names import split_name
from reports.metric_registry import metric_of
from reports.study.claims import Claim
from reports.study.claims import claims as claims_of
from reports.study.results import (
    DECIDED,
    NOT_MEASURED,
    ONE_SEED,
    Estimate,
    Record,
    Results,
    is_clear,
)
from reports.study.study import Study


@dataclass(frozen=True)
class BudgetEffect:
    """A claim at one training budget, in the unit of its metric.

    Of a factor of a factorial it is the simple effect, of the part taken out of the full design.
    """

    steps: int
    effect: Estimate
    margin: float
    verdict: str
    seeds: int  # paired


@dataclass(frozen=True)
class BudgetChange:
    """How the effect changed from one budget to a longer one, in the unit of the metric."""

    shorter: int  # steps
    longer: int
    difference: Estimate
    p_holm: float
    clear: bool
    seeds: int  # paired


@dataclass(frozen=True)
class BudgetTrend:
    """One claim at two training budgets or more, the shortest first."""

    claim: Claim  # as it stands in `at_one_budget`
    effects: list[BudgetEffect]  # those that were measured
    change: BudgetChange | None  # where two budgets have two seeds in common

    @property
    def name(self) -> str:
        """The ablation, and what it is compared with where that is not the baseline."""
        ablation, against = (split_name(one)[0] for one in (self.claim.system, self.claim.against))
        return ablation if against == BASELINE else f"{ablation} to {against}"

    @property
    def decided(self) -> dict[int, str]:
        """The verdicts by steps, where there is one."""
        return {one.steps: one.verdict for one in self.effects if one.verdict in DECIDED}

    @property
    def verdict_changes(self) -> bool:
        """Whether two budgets decide the claim differently."""
        return len(set(self.decided.values())) > 1


def at_one_budget(claims: Sequence[Claim]) -> list[Claim]:
    """Each claim once: at the first of the study's budgets that has two seeds, else one."""
    return [representative(group) for group in by_budget(claims)]


def representative(group: Sequence[Claim]) -> Claim:
    """The claim that stands for those of other budgets; `min` takes the first of equals."""
    ranks = {NOT_MEASURED: 2, ONE_SEED: 1}
    return min(group, key=lambda one: ranks.get(one.verdict, 0))


def trends_of(study: Study) -> list[BudgetTrend]:
    """Those of a study's claims."""
    return find_trends(claims_of(study), study.results)


def find_trends(claims: Sequence[Claim], results: Results) -> list[BudgetTrend]:
    """Every claim of the study that was measured at two budgets."""
    trends = []
    changes = {row["claim"]: change_of(row) for row in results.budget_changes if row["longer"]}
    for group in by_budget([one for one in claims if not one.is_exploratory]):
        found = {one.steps: one for claim in group for one in effect_of(claim, results.steps)}
        if len(found) > 1:
            effects = [found[budget] for budget in sorted(found)]
            claim = representative(group)
            trends.append(BudgetTrend(claim, effects, changes.get(claim.id)))
    return trends


def change_of(row: Record) -> BudgetChange:
    """One row of budget_changes.csv."""
    metric = metric_of(row["metric"])
    found = Estimate(row["difference"], row["low"], row["high"], int(row["clips"]), p=row["p"])
    return BudgetChange(
        int(row["shorter"]),
        int(row["longer"]),
        metric.shown(found),
        row["p_holm"],
        is_clear(row),
        int(row["seeds"]),
    )


def by_budget(claims: Sequence[Claim]) -> list[list[Claim]]:
    """The claims in groups that differ by the budget of their systems alone."""
    groups: dict[tuple[str, ...], list[Claim]] = {}
    for one in claims:
        systems = split_name(one.system)[0], split_name(one.against)[0]
        groups.setdefault((*systems, one.what), []).append(one)
    return list(groups.values())


def effect_of(claim: Claim, steps: int | None) -> Iterator[BudgetEffect]:
    """The claim at its budget; nothing where it was not measured, or its steps are unknown."""
    budget, simple = split_name(claim.system)[1] or steps, claim.in_full_design
    found = (claim.difference, claim.margin, claim.verdict, claim.seeds)
    if simple is not None:
        found = (simple.difference, simple.margin, simple.verdict, simple.seeds)
    if budget and found[0].known:
        yield BudgetEffect(budget, *found)


def sentences(trends: Sequence[BudgetTrend]) -> Iterator[str]:
    """Which verdicts change with the budget, of how many that could be seen to, and which effects.

    An effect may change and both be decided alike.
    """
    if not trends:
        return
    yield from verdict_sentences(trends)
    yield from change_sentences(trends)


def change_sentences(trends: Sequence[BudgetTrend]) -> Iterator[str]:
    """The effects that change clearly between the budgets, of those that were tested."""
    tested = [(one, one.change) for one in trends if one.change is not None]
    if not tested:
        return
    clear = [f"{one.name}, {one.claim.what}" for one, change in tested if change.clear]
    effects, are = ("1 effect", "is") if len(tested) == 1 else (f"{len(tested)} effects", "are")
    named = f"clear ones: {'; '.join(clear)}" if clear else "none is clear"
    yield f"{effects} {are} tested for a change with the budget; {named}."


def verdict_sentences(trends: Sequence[BudgetTrend]) -> Iterator[str]:
    """Which verdicts differ between budgets that decide."""
    comparable = [one for one in trends if len(one.decided) > 1]
    if not comparable:
        yield "No claim is decided at two budgets so far, so that no verdict can be seen to change."
        return
    changing = [one for one in comparable if one.verdict_changes]
    number = "none" if not changing else str(len(changing))
    are = "claim is" if len(comparable) == 1 else "claims are"
    yield f"{len(comparable)} {are} decided at two budgets or more, {number} of them differently."
    for one in changing:
        verdicts = ", ".join(f"{said} at {steps:,} steps" for steps, said in one.decided.items())
        yield f"{one.name}, {one.claim.what}: {verdicts}."
