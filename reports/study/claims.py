"""The claims of a study and the verdicts on them, as the analysis wrote them."""

import math
from dataclasses import dataclass, field

from dcvae.claims import BASELINE, STUDY
from dcvae.system_names import split_name
from reports.metric_registry import Metric, describe, metric_of
from reports.study.results import ONE_SEED, UNDECIDED, Estimate, Record, Results
from reports.study.study import Study

MAIN_EFFECT = "main effect"


@dataclass(frozen=True)
class SimpleEffect:
    """A part taken out of the full design: all others are in place."""

    difference: Estimate
    margin: float
    verdict: str
    seeds: int  # paired


@dataclass(frozen=True)
class Claim:
    """What an ablation's file expects, and what was measured, in the unit of its metric."""

    id: str  # without the budget
    system: str
    against: str
    component: str  # the promise of the design that it speaks of
    text: str
    metric: Metric
    what: str  # the metric and its condition, for readers
    sign: int  # 1 where the claim expects the value to lie above that of `against`, else -1
    margin: float  # the smallest effect worth having
    contrast: str  # "difference", or MAIN_EFFECT over the cells of a factorial
    stratum: str  # "layernorm in place": within a part of the factorial
    is_exploratory: bool  # it was not written down for this study
    baseline: float
    value: float
    difference: Estimate  # with its 95% interval; n_scored are the paired clips
    in_full_design: SimpleEffect | None  # of a main effect over all cells
    low_90: float
    high_90: float
    p_holm: float
    verdict: str
    seeds: int  # paired
    seeds_needed: float
    clips_needed: float
    look: float  # at which it was decided; NaN where the study has one look
    reason: str
    strata: list["Claim"] = field(default_factory=list)  # where a main effect depends on another

    @property
    def is_tested(self) -> bool:
        return not math.isnan(self.difference.p)

    @property
    def is_main_effect(self) -> bool:
        return self.contrast == MAIN_EFFECT

    @property
    def is_against_baseline(self) -> bool:
        """Whether it compares with the baseline, of whatever budget."""
        return split_name(self.against)[0] == BASELINE

    @property
    def compared_with(self) -> str:
        """For "against ...": the baseline needs no name."""
        return "the baseline" if self.is_against_baseline else self.against

    @property
    def whisker(self) -> dict[str, float] | None:
        """Low, mean, high and the margin on a scale of -1 to 1 with zero in the middle."""
        one = self.difference
        if not one.has_interval:
            return None
        reach = max(abs(one.low), abs(one.high), self.margin)
        ends = {"low": one.low, "mean": one.mean, "high": one.high, "margin": self.margin}
        return {name: value / reach for name, value in ends.items()}

    @property
    def outlook(self) -> str:
        """What would decide it, where it is open and could be decided."""
        if self.verdict != UNDECIDED:
            return ""
        if math.isnan(self.seeds_needed):
            return "no affordable number of seeds and clips would decide it"
        clips = f" on {self.clips_needed:.0f} clips" if self.clips_needed > 1 else ""
        return f"about {self.seeds_needed:.0f} seeds{clips} would decide it"

    @property
    def remark(self) -> str:
        """Why there is no verdict, or what it rests on; of one seed the page tells once."""
        looked = "" if math.isnan(self.look) else f"decided at look {self.look:.0f}"
        reason = "" if self.verdict == ONE_SEED else self.reason
        return "; ".join(part for part in (self.outlook, looked, reason) if part)


def claims(study: Study) -> list[Claim]:
    """Every claim of the study with its strata."""
    return with_strata(study.results)


def with_strata(results: Results) -> list[Claim]:
    """The claims of claims.csv; a claim's strata follow it there."""
    found: list[Claim] = []
    for row in results.claims:
        one = claim_of(row, results)
        (found[-1].strata if one.stratum else found).append(one)
    return found


def claim_of(row: Record, results: Results) -> Claim:
    """One row of claims.csv, in the units in which its metric is written."""
    metric = metric_of(row["metric"])
    difference = Estimate(row["difference"], row["low"], row["high"], int(row["clips"]), p=row["p"])
    return Claim(
        id=row["claim"],
        system=row["system"],
        against=row["against"],
        component=row["component"],
        text=row["text"],
        metric=metric,
        what=describe(row["condition"], row["metric"]),
        sign=-1 if row["direction"] == "down" else 1,
        margin=metric.unit * row["margin"],
        contrast=row["contrast"],
        stratum=row["stratum"],
        is_exploratory=row["family"] != STUDY,
        baseline=metric.unit * row["baseline"],
        value=metric.unit * row["value"],
        difference=metric.shown(difference),
        in_full_design=simple_effect(row, results) if row["full_design_verdict"] else None,
        low_90=metric.unit * row["low_90"],
        high_90=metric.unit * row["high_90"],
        p_holm=row["p_holm"],
        verdict=row["verdict"],
        seeds=int(row["seeds"]),
        seeds_needed=row["seeds_needed"],
        clips_needed=row["clips_needed"],
        look=row["look"],
        reason=row["reason"],
    )


def simple_effect(row: Record, results: Results) -> SimpleEffect:
    """That of a row of claims.csv on a main effect."""
    metric = metric_of(row["metric"])
    found = results.difference(row["system"], row["condition"], row["metric"])
    return SimpleEffect(
        metric.shown(found),
        metric.unit * row["full_design_margin"],
        row["full_design_verdict"],
        int(row["full_design_seeds"]),
    )


def looks_taken(study: Study) -> str:
    """How often a study that goes on was looked at; "" for one that is judged once."""
    record = study.results.record
    seeds = [str(look["seeds"]) for look in record.get("looks") or ()]
    if not seeds:
        return ""
    return (
        f"The study goes on until its claims are decided: it was looked at with {', '.join(seeds)}"
        f" seeds of at most {record['max_seeds']}, and the looks share the 5%."
    )
