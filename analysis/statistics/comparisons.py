"""Which contrasts a study's claims are about: what is asked of its systems, and as one family."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from analysis.statistics import contrasts
from analysis.statistics.contrasts import Weights
from analysis.statistics.ratios import Cell
from analysis.statistics.study_runs import Study
from dcvae.claims import BASELINE, EXPLORATORY, STUDY, Claim, read_claims
from dcvae.system_names import system_name

MAIN_EFFECT, DIFFERENCE = "main effect", "difference"


@dataclass(frozen=True)
class Comparison:
    """One claim about the systems of one training budget."""

    claim: Claim
    weights: Weights
    contrast: str
    budget: int | None
    family: str
    stratum: str = ""

    @property
    def cell(self) -> Cell:
        return self.claim.condition, self.claim.metric

    @property
    def system(self) -> str:
        return system_name(self.claim.ablation, self.budget)

    @property
    def against(self) -> str:
        return system_name(self.claim.against, self.budget)


def find_comparisons(study: Study) -> list[Comparison]:
    """Every claim at every training budget, those of the study's family first."""
    claims, family = stated_claims(study)
    return [
        Comparison(claim, *contrast_of(study, claim, budget), budget, kind)
        for kind in (STUDY, EXPLORATORY)
        for budget in study.budgets
        for claim in claims
        if (claim.id in family) == (kind == STUDY) and is_asked(study, claim, budget)
    ]


def stated_claims(study: Study) -> tuple[list[Claim], frozenset[str]]:
    """All claims, and the ids of those that were written down for this study.

    Without a plan nothing was: the ablations' own claims are one family, for they were written
    before the runs that carry them.
    """
    if study.plan is not None:
        return study.plan.claims, study.plan.family
    found: dict[str, Claim] = {}
    for run in study.runs:
        for claim in read_claims(run.ablation, run.record.get("claims") or []):
            found.setdefault(claim.id, claim)
    return list(found.values()), frozenset(found)


def is_asked(study: Study, claim: Claim, budget: int | None) -> bool:
    """Whether the claim's system belongs to the study at this budget."""
    system = system_name(claim.ablation, budget)
    planned = {name for name, _ in study.plan.runs} if study.plan else set()
    return system in planned or bool(study.of(system))


def contrast_of(study: Study, claim: Claim, budget: int | None) -> tuple[Weights, str]:
    """The main effect where the ablation is a factor that all cells are there for."""
    cells = factorial(study, budget)
    if study.plan and claim.ablation in study.plan.factors and claim.against == BASELINE and cells:
        return contrasts.main_effect(claim.ablation, cells), MAIN_EFFECT
    system, against = (system_name(name, budget) for name in (claim.ablation, claim.against))
    return contrasts.difference(system, against), DIFFERENCE


def factorial(study: Study, budget: int | None) -> dict[str, frozenset[str]]:
    """The systems that are cells of the study's factorial; {} where one of them was never run."""
    if study.plan is None or not study.plan.factors:
        return {}
    factors, parts = frozenset(study.plan.factors), study.plan.parts
    cells = {
        run.system: parts[run.system]
        for run in study.analysed
        if run.budget == budget and parts[run.system] <= factors
    }
    return cells if len(cells) == 2 ** len(factors) else {}


def grouped(comparisons: Sequence[Comparison]) -> list[list[Comparison]]:
    """The families: by budget what the study claims; each exploratory claim stands alone."""
    groups: dict[object, list[Comparison]] = {}
    for number, one in enumerate(comparisons):
        key = one.budget if one.family == STUDY else (EXPLORATORY, number)
        groups.setdefault(key, []).append(one)
    return list(groups.values())


def strata(study: Study, comparison: Comparison, others: Sequence[str]) -> list[Comparison]:
    """The claim of a main effect where each of `others` is in place, and where it is taken away."""
    cells, factor = factorial(study, comparison.budget), comparison.claim.ablation
    return [
        replace(
            comparison,
            weights=contrasts.main_effect(factor, cells, {other: state}),
            stratum=stratum_name(other, state),
        )
        for other in others
        for state in (False, True)
    ]


def stratum_name(other: str, is_taken: bool) -> str:
    """Of `no_layernorm` "layernorm in place" or "layernorm taken away"; else with or without it."""
    part = other.removeprefix("no_")
    if part == other:
        return f"{'with' if is_taken else 'without'} {other}"
    return f"{part} {'taken away' if is_taken else 'in place'}"
