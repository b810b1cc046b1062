"""A study that goes on until its claims are decided: a block of seeds after each look.

What a look may spend, and what it decided, is the analysis' to say (analysis/statistics).
"""

from dataclasses import replace

from dcvae.runs import STATISTICS_RECORD, read_object
from experiments.studies.phases import Wanted
from experiments.studies.plan import Plan, compose_rows


def next_block(plan: Plan) -> Plan | None:
    """The plan with another seed of every system; None where the study ends.

    It ends when no claim of its family is open, or when it has `max_seeds`. ValueError where the
    statistics of the last look are not there.
    """
    seeds = sorted({row.seed for row in plan.rows})
    if plan.study.until is None or len(seeds) >= (plan.study.max_seeds or 0):
        return None
    path = plan.folder / STATISTICS_RECORD
    try:
        still_open = read_object(path)["open"]
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{path} does not say which claims are open: {error}") from error
    if not still_open:
        return None
    systems = dict.fromkeys((row.ablation, row.budget, row.phase) for row in plan.rows)
    wanted = [Wanted(name, seeds[-1] + 1, budget, phase) for name, budget, phase in systems]
    return replace(plan, rows=(*plan.rows, *compose_rows(wanted, plan.overrides)))
