"""The verdict on every ablation's claim: supported, contradicted, undecided or not measured.

A claim names one metric in one condition and the direction in which the ablation moves it. It is
tested once, two-sided, ablation against baseline; the tests of all claims of a study are one
family, which Holm's correction holds to a 5% chance of any false verdict.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from analysis.metrics.bootstrap import Comparison, holm
from analysis.ratios import Cell, most_frequent
from analysis.study import BASELINE, Study

ALPHA = 0.05
DEFAULT_CONDITION = "reconstruction"  # of a claim that names a metric alone


@dataclass(frozen=True)
class Claim:
    """What an ablation's file expects."""

    ablation: str
    text: str
    cell: Cell
    direction: str  # "up" or "down": how the ablation's value lies to the baseline's


class Verdict(NamedTuple):
    """One row of claims.csv; its numbers are of the clips that both systems have."""

    ablation: str
    text: str
    condition: str
    metric: str
    direction: str
    baseline: float = math.nan
    value: float = math.nan
    difference: float = math.nan
    low: float = math.nan
    high: float = math.nan
    effect: float = math.nan
    p: float = math.nan
    p_holm: float = math.nan
    verdict: str = "not measured"
    n_paired: int = 0
    reason: str = ""  # why there is no measurement or no test, and what to run


def find_claims(study: Study) -> list[Claim]:
    """The claims of all ablations, each as its first seed's run.json has it."""
    found: dict[str, Claim] = {}
    for run in study.runs:
        stated = run.described.get("claim")
        if isinstance(stated, dict) and run.ablation not in {BASELINE, *found}:
            condition, _, metric = str(stated.get("metric")).rpartition("/")
            found[run.ablation] = Claim(
                run.ablation,
                str(stated.get("text") or ""),
                (condition or DEFAULT_CONDITION, metric),
                str(stated.get("direction")),
            )
    return list(found.values())


def judge(study: Study, comparisons: Mapping[tuple[str, Cell], Comparison]) -> list[Verdict]:
    """Every claim with its numbers, tested as one family. What is not measured is no test."""
    claims = find_claims(study)
    compared = [comparisons.get((claim.ablation, claim.cell)) for claim in claims]
    corrected = holm([one.p if one else math.nan for one in compared])
    return [
        measured(claim, one, p_holm) if one else unmeasured(claim, study)
        for claim, one, p_holm in zip(claims, compared, corrected, strict=True)
    ]


def measured(claim: Claim, one: Comparison, p_holm: float) -> Verdict:
    """A claim whose metric both systems have; without a p it is undecided."""
    return Verdict(
        claim.ablation,
        claim.text,
        *claim.cell,
        claim.direction,
        baseline=one.other,
        value=one.value,
        difference=one.difference,
        low=one.low,
        high=one.high,
        effect=one.effect,
        p=one.p,
        p_holm=p_holm,
        verdict=verdict(one.difference, p_holm, claim.direction),
        n_paired=one.clips,
        reason="one number of each system is no test: train several seeds"
        if math.isnan(one.p)
        else "",
    )


def verdict(difference: float, p_holm: float, direction: str) -> str:
    """Undecided unless the corrected p is below 5%; else what the sign says."""
    if direction not in ("up", "down") or not p_holm < ALPHA:
        return "undecided"
    return "supported" if (difference > 0) == (direction == "up") else "contradicted"


def unmeasured(claim: Claim, study: Study) -> Verdict:
    """A claim whose metric the ablation or the baseline lacks, with the reason."""
    reasons = [lack(name, claim.cell, study) for name in (claim.ablation, BASELINE)]
    reason = next(filter(None, reasons), "the two systems have no clip in common")
    return Verdict(claim.ablation, claim.text, *claim.cell, claim.direction, reason=reason)


def lack(ablation: str, cell: Cell, study: Study) -> str:
    """Why an ablation has no value in a cell; "" where it has one."""
    runs, ratios = study.of(ablation), study.ratios(ablation, cell)
    if not runs:
        return f"no run of {ablation} is there"
    if not ratios:
        return f"{runs[0].name} has no {'/'.join(cell)}: run `{runs[0].command}`"
    if not any(one.n_scored for one in ratios):
        reason = most_frequent([one.reason for one in ratios])
        return f"every measurement of {runs[0].name} failed" + (f": {reason}" if reason else "")
    return ""
