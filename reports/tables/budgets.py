"""The paper's table of claims at several training budgets."""

from collections.abc import Sequence

from reports.study.budgets import BudgetTrend
from reports.study.results import NOTHING
from reports.tables.table import Cell, Column, Table, difference_cell, text_cell


def budgets(trends: Sequence[BudgetTrend]) -> Table:
    """A row a claim and a column a budget: the effect in the full design, then the verdicts."""
    steps = sorted({one.steps for trend in trends for one in trend.effects})
    return Table(
        "budgets",
        "Effects by training budget",
        "The part removed from the full design, minus the full design trained for as many steps,"
        " on the training seeds and clips of both, with 95% intervals, and the verdicts on that.",
        [
            Column("system", "system", words=True),
            Column("metric", "metric", words=True),
            *(Column(f"steps_{n}", f"{n:,} steps", counted=True, paired=True) for n in steps),
            Column("verdicts", "verdicts", words=True, long=True),
        ],
        [row(trend, steps) for trend in trends],
    )


def row(trend: BudgetTrend, steps: Sequence[int]) -> list[Cell]:
    metric = trend.claim.metric
    effects = {one.steps: one.effect for one in trend.effects}
    return [
        text_cell(trend.ablation),
        text_cell(trend.claim.what + (" %" if metric.percent else "")),
        *(difference_cell(effects.get(one, NOTHING), metric.digits) for one in steps),
        text_cell(verdicts(trend)),
    ]


def verdicts(trend: BudgetTrend) -> str:
    """The verdict at each budget, once where all are the same."""
    said = [one.verdict for one in trend.effects]
    if len(set(said)) == 1:
        return said[0]
    return ", ".join(f"{one.verdict} at {one.steps:,}" for one in trend.effects)
