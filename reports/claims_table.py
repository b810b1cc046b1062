"""The paper's table of claims."""

import math
from dataclasses import replace

from reports.claims import Claim
from reports.claims import claims as find_claims
from reports.study import Study
from reports.numbers import UNKNOWN, chance, plain, signed
from reports.paper_table import Cell, Column, Table, estimate_cell, number_cell, text_cell


def claims(study: Study) -> Table:
    """What each ablation's file expects, and the verdict."""
    columns = [
        Column("ablation", "ablation", words=True),
        Column("claim", "claim", words=True, long=True),
        Column("metric", "metric", words=True),
        *(Column(key, key) for key in ("baseline", "value")),
        Column("difference", "difference", counted=True, paired=True),
        Column("clips", "clips"),
        *(Column(key, title) for key, title in (("p_holm", "p after Holm"), ("effect", "effect"))),
        Column("verdict", "verdict", words=True),
    ]
    return Table(
        "claims",
        "The claims and their verdicts",
        "Differences are ablation minus baseline over the same clips, with 95% paired-bootstrap"
        " intervals; rates in percent. A verdict is that of a two-sided bootstrap test at 5% after"
        " Holm's correction. The effect is Cohen's d over the clips.",
        columns,
        [claim_cells(one) for one in find_claims(study)],
    )


def claim_cells(one: Claim) -> list[Cell]:
    """A claim's row, each number written as on the page."""
    digits, difference = one.metric.digits, one.difference
    shown = estimate_cell(difference, digits, clear=difference.clear)
    if difference.known:
        shown = replace(shown, text=signed(difference.mean, digits))
    return [
        text_cell(one.ablation),
        text_cell(one.text),
        text_cell(one.what + (" %" if one.metric.percent else "")),
        value_cell(one.baseline, digits),
        value_cell(one.value, digits),
        shown,
        number_cell(difference.n_scored),
        Cell(chance(one.p_holm), one.p_holm),
        Cell(signed(one.effect, 2) if one.has_effect else UNKNOWN, one.effect),
        text_cell(one.verdict),
    ]


def value_cell(value: float, digits: int) -> Cell:
    return Cell(UNKNOWN if math.isnan(value) else plain(value, digits), value)
