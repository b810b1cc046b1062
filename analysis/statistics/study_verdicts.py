"""The verdict on every claim of a study, and what is tested beside: see `Inferences`."""

import math
from typing import Any, NamedTuple

from analysis.statistics.budget_changes import BudgetChange, find_budget_changes
from analysis.statistics.comparisons import (
    DIFFERENCE,
    MAIN_EFFECT,
    Comparison,
    find_comparisons,
    grouped,
    strata,
)
from analysis.statistics.contrasts import difference
from analysis.statistics.differences import ALPHA
from analysis.statistics.interactions import (
    Interaction,
    depends_on,
    factorial_cells,
    find_interactions,
)
from analysis.statistics.measured import Measured, margin_of, measure
from analysis.statistics.power import Needed, needed_to_decide
from analysis.statistics.ratios import Cell
from analysis.statistics.study_runs import Study
from analysis.statistics.verdicts import (
    DECIDED,
    NOT_MEASURED,
    ONE_SEED,
    UNDECIDED,
    bonferroni,
    holm,
    verdict,
)
from dcvae.claims import STUDY


class Verdict(NamedTuple):
    """One row of claims.csv: the numbers are of the seeds and clips that all its systems have."""

    claim: str
    system: str
    against: str
    component: str
    text: str
    condition: str
    metric: str
    direction: str
    margin: float  # in the metric's unit
    contrast: str  # "difference" or "main effect"
    stratum: str  # of a main effect that depends on another factor
    family: str  # STUDY: written down before the runs, and tested as one family
    baseline: float = math.nan
    value: float = math.nan
    difference: float = math.nan
    low: float = math.nan
    high: float = math.nan
    low_90: float = math.nan
    high_90: float = math.nan
    p: float = math.nan
    p_holm: float = math.nan
    verdict: str = NOT_MEASURED
    seeds: int = 0
    clips: int = 0
    seeds_needed: float = math.nan  # to decide it with 80% power; NaN where decided or unknown
    clips_needed: float = math.nan
    full_design_margin: float = math.nan  # of a main effect, as the next: of the simple effect
    full_design_p: float = math.nan  # corrected for the family (Bonferroni)
    full_design_seeds: int = 0
    full_design_verdict: str = ""
    look: float = math.nan  # at which it was decided, where the study looks several times
    reason: str = ""  # why there is no verdict, and what to run

    @property
    def name(self) -> str:
        """The claim with the system it is about, which tells training budgets apart."""
        return f"{self.system}:{self.condition}/{self.metric}"

    @property
    def full_design_name(self) -> str:
        return f"{self.name} in the full design"


class Inferences(NamedTuple):
    """What is tested of a study, each list a CSV in its folder."""

    verdicts: list[Verdict]
    interactions: list[Interaction]
    budget_changes: list[BudgetChange]


def find_verdicts(study: Study, alpha: float = ALPHA) -> Inferences:
    """Every claim, tested as families, and the interactions of the factors in their metrics.

    The study's claims at one training budget are one family (Holm). Where an interaction is clear
    the claim gets a verdict in both strata of the other factor too, corrected for the family and
    for the claim's strata (Bonferroni); a main effect has one in the full design beside its own,
    corrected for the family (Bonferroni). How claims change with the budget is a family of its own.
    """
    comparisons = find_comparisons(study)
    interactions = [
        row
        for (budget, cell), margin in factorial_cells(study, comparisons).items()
        for row in find_interactions(study, budget, cell, margin, alpha)
    ]
    verdicts = []
    for family in grouped(comparisons):
        measured = [measure(study, one.cell, one.weights) for one in family]
        corrected = holm([one.estimate.p for one in measured])
        for comparison, found, p_holm in zip(family, measured, corrected, strict=True):
            whole = row(study, comparison, found, p_holm, alpha, len(family))
            simple = in_full_design(study, comparison, alpha, len(family))
            verdicts.append(whole._replace(**simple))
            parts = strata(study, comparison, depends_on(comparison, interactions))
            for stratum in parts:
                part = measure(study, stratum.cell, stratum.weights)
                p_part = bonferroni(part.estimate.p, len(parts) * len(family))
                verdicts.append(row(study, stratum, part, p_part, alpha, len(family)))
    return Inferences(verdicts, interactions, find_budget_changes(study, comparisons, alpha))


def in_full_design(
    study: Study, comparison: Comparison, alpha: float, tests: int
) -> dict[str, Any]:
    """Of a main effect: margin, corrected p, seeds and verdict of the simple effect in the full
    design, where all other parts are in place. Of a difference nothing.
    """
    if comparison.contrast != MAIN_EFFECT:
        return {}
    claim, weights = comparison.claim, difference(comparison.system, comparison.against)
    found = measure(study, comparison.cell, weights)
    margin, p = margin_of(claim, found), bonferroni(found.estimate.p, tests)
    return {
        "full_design_margin": margin,
        "full_design_p": p,
        "full_design_seeds": found.estimate.n_seeds,
        "full_design_verdict": verdict(found.estimate, claim.direction, margin, p, alpha),
    }


def row(
    study: Study,
    comparison: Comparison,
    found: Measured,
    p_holm: float,
    alpha: float,
    family_size: int,
) -> Verdict:
    """A claim's row, with what would decide it where it is open."""
    claim, one = comparison.claim, found.estimate
    margin = margin_of(claim, found)
    said = verdict(one, claim.direction, margin, p_holm, alpha)
    needed = Needed()
    if said == UNDECIDED:
        needed = needed_to_decide(one, margin, alpha, alpha / max(1, family_size))
    return Verdict(
        claim.id,
        comparison.system,
        comparison.against,
        claim.component,
        claim.text,
        *comparison.cell,
        claim.direction,
        margin,
        comparison.contrast,
        comparison.stratum,
        comparison.family,
        found.baseline,
        found.value,
        one.value,
        *one.interval(ALPHA),
        *one.interval(2 * ALPHA),
        p=one.p,
        p_holm=p_holm if comparison.family == STUDY else math.nan,
        verdict=said,
        seeds=one.n_seeds,
        clips=one.n_clips,
        seeds_needed=needed.seeds,
        clips_needed=needed.clips,
        reason=reason(study, comparison, said),
    )


def reason(study: Study, comparison: Comparison, said: str) -> str:
    """Why there is no verdict, and what to run; which seeds could not be paired."""
    if said == NOT_MEASURED:
        lacking = (lack(study, system, comparison.cell) for system in comparison.weights)
        return next(filter(None, lacking), "its systems have no seed or no clip in common")
    seeds = {system: set(study.ratios(system, comparison.cell)) for system in comparison.weights}
    paired = set.intersection(*seeds.values())
    if said == ONE_SEED:
        return "these weights only: a second seed of both systems would give a verdict"
    alone = sorted(set.union(*seeds.values()) - paired)
    if alone and comparison.contrast == DIFFERENCE:
        listed = ", ".join(map(str, alone))
        return f"seeds without a partner are left out: {listed}; {len(paired)} are paired"
    return ""


def lack(study: Study, system: str, cell: Cell) -> str:
    """Why a system has no value in a cell; "" where it has one."""
    runs = study.of(system)
    if not runs:
        return f"no run of {system} is there"
    if study.ratios(system, cell):
        return ""
    told = [run.ratios[cell].reason for run in runs if run.ratios and cell in run.ratios]
    if not told:
        return f"{runs[0].name} has no {'/'.join(cell)}: run `{runs[0].command}`"
    return f"every measurement of {runs[0].name} failed" + (f": {told[0]}" if told[0] else "")


def is_open(one: Verdict) -> bool:
    """Whether more seeds could still decide a claim of the family."""
    return one.family == STUDY and not one.stratum and one.verdict not in DECIDED
