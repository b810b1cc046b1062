"""The paper's table of claims at several training budgets."""

import math
from collections.abc import Sequence

from reports.formatting import UNKNOWN
from reports.study.budgets import BudgetChange, BudgetEffect, BudgetTrend
from reports.study.results import NOTHING
from reports.tables.table import (
    Cell,
    Column,
    Table,
    chance_cell,
    difference_cell,
    text_cell,
)


def budgets(trends: Sequence[BudgetTrend], intervals: str = "95% intervals") -> Table:
    """A row a claim and a column a budget: the effect, then the verdicts and their seeds."""
    steps = sorted({one.steps for trend in trends for one in trend.effects})
    return Table(
        "budgets",
        "Effects by training budget",
        "System minus the one that it is compared with, both trained for as many steps, each budget"
        " a training of its own; where the ablation is a factor, in the full design alone. With"
        f" {intervals}. Verdicts of one budget are corrected among themselves. Change: the effect"
        " at the longest budget minus that at the shortest, of those with two seeds in common, each"
        " seed paired with itself; its p after Holm's correction for all claims at two budgets.",
        [
            Column("system", "system", words=True),
            Column("metric", "metric", words=True),
            *(Column(f"steps_{n}", f"{n:,} steps", counted=True, paired=True) for n in steps),
            Column("change", "change", counted=True, paired=True),
            Column("change_budgets", "from, to (seeds)", words=True),
            Column("change_p_holm", "p after Holm"),
            Column("verdicts", "verdicts (seeds)", words=True, long=True),
        ],
        [row(trend, steps) for trend in trends],
    )


def row(trend: BudgetTrend, steps: Sequence[int]) -> list[Cell]:
    """One claim at each of the steps."""
    metric, change = trend.claim.metric, trend.change
    by_steps = {one.steps: one for one in trend.effects}
    found = [by_steps.get(one) for one in steps]
    return [
        text_cell(trend.name),
        text_cell(trend.claim.what + (" %" if metric.percent else "")),
        *(difference_cell(one.effect if one else NOTHING, metric.digits) for one in found),
        difference_cell(change.difference if change else NOTHING, metric.digits),
        text_cell(between(change) if change else UNKNOWN),
        chance_cell(change.p_holm if change else math.nan),
        text_cell(", ".join(told(one) if one else UNKNOWN for one in found)),
    ]


def between(change: BudgetChange) -> str:
    """Reads "175 to 700 (2)"."""
    return f"{change.shorter:,} to {change.longer:,} ({change.seeds})"


def told(one: BudgetEffect) -> str:
    """Reads "negligible (3)"; "one seed" says it itself."""
    return one.verdict if one.seeds == 1 else f"{one.verdict} ({one.seeds})"
