"""Looks at a study that goes on: how much of the 5% each may spend.

A study that adds a block of seeds while a claim is open looks at its data several times. The chance
of a false verdict over all looks is held by spending: a look at n of at most N seeds may have spent
alpha * n / N in all, the linear function of Kim and DeMets (1987) in the scheme of Lan and DeMets
(1983), and each look tests at what is new since the one before. The looks' correlation is not
used: by the union bound the sum holds whatever it is, at the price of some power.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from analysis.statistics.differences import ALPHA
from analysis.statistics.study_runs import Study
from analysis.statistics.study_verdicts import Inferences, find_verdicts
from analysis.statistics.verdicts import DECIDED

TESTABLE = 2  # seeds: fewer test nothing, so that a look at them spends nothing


def spent(seeds: int, max_seeds: int, alpha: float = ALPHA) -> float:
    """What may be spent up to a look at `seeds` of `max_seeds`."""
    return alpha * min(1.0, seeds / max_seeds)


def level_of_look(
    seeds: int, earlier: Sequence[int], max_seeds: int | None, alpha: float = ALPHA
) -> float:
    """The level of the tests at this look, after looks at `earlier` numbers of seeds.

    All of `alpha` where the study has one look (`max_seeds` None).
    """
    if max_seeds is None:
        return alpha
    return spent(seeds, max_seeds, alpha) - spent(max(earlier, default=0), max_seeds, alpha)


class Look(NamedTuple):
    """One look at a study that goes on: what it may spend, and what it decided."""

    seeds: int
    alpha: float
    decided: dict[str, str]  # verdict by Verdict.name


def look_again(study: Study, looks: list[Look]) -> tuple[Study, Inferences, list[Look]]:
    """Judge the whole blocks of a study that goes on; what an earlier look decided stays.

    A block is all runs of a seed. One that is not scored to its end is not looked at, so that a
    study stopped in its middle gives no verdict that was not earned.
    """
    assert study.plan is not None
    blocks = whole_blocks(study)
    seeds = len(blocks)
    earlier = [look for look in looks if look.seeds < seeds]
    alpha = level_of_look(seeds, [look.seeds for look in earlier], study.plan.max_seeds)
    whole = replace(study, runs=[run for run in study.runs if run.seed in blocks])
    found = find_verdicts(whole, alpha)
    known = {name: said for look in earlier for name, said in look.decided.items()}
    numbers = {name: n for n, look in enumerate(earlier, 1) for name in look.decided}
    new = {
        name: said
        for one in found.verdicts
        if not one.stratum
        for name, said in (
            (one.name, one.verdict),
            (one.full_design_name, one.full_design_verdict),
        )
        if said in DECIDED and name not in known
    }
    numbers |= dict.fromkeys(new, len(earlier) + 1)
    verdicts = [
        one
        if one.stratum
        else one._replace(
            verdict=known.get(one.name, one.verdict),
            full_design_verdict=known.get(one.full_design_name, one.full_design_verdict),
            look=numbers.get(one.name, math.nan),
        )
        for one in found.verdicts
    ]
    looks = [*earlier, Look(seeds, alpha, new)] if seeds >= TESTABLE else looks
    return whole, found._replace(verdicts=verdicts), looks


def whole_blocks(study: Study) -> list[int]:
    """The first seeds of which every planned run is analysed."""
    assert study.plan is not None
    done = {(run.system, run.seed) for run in study.analysed}
    blocks: list[int] = []
    for seed in sorted({seed for _, seed in study.plan.runs}):
        planned = [run for run in study.plan.runs if run[1] == seed]
        if not all(run in done for run in planned):
            break
        blocks.append(seed)
    return blocks
