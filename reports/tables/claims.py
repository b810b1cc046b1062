"""The paper's tables of claims, and of the interactions between the parts that they speak of."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from reports.formatting import UNKNOWN, plain
from reports.metric_registry import describe, metric_of
from reports.study.claims import Claim, SimpleEffect
from reports.study.claims import claims as find_claims
from reports.study.results import NOTHING, UNDECIDED, Estimate, Record, is_clear
from reports.study.study import Study
from reports.tables.table import (
    Cell,
    Column,
    Table,
    chance_cell,
    difference_cell,
    number_cell,
    text_cell,
)

LISTED = 6  # interactions that the page shows at once, where fewer are clear


def claims(study: Study) -> Table:
    """What each ablation's file expects, its strata, and the verdicts; exploratory ones last."""
    columns = [
        Column("system", "system", words=True),
        Column("against", "comparison", words=True),
        Column("claim", "claim", words=True, long=True),
        Column("metric", "metric", words=True),
        *(Column(key, key) for key in ("baseline", "value")),
        Column("difference", "difference", counted=True, paired=True),
        *(Column(key, key) for key in ("margin", "seeds", "clips")),
        *(Column(key, title) for key, title in (("p", "p"), ("p_holm", "p after Holm"))),
        Column("verdict", "verdict", words=True),
        Column("seeds_needed", "seeds to decide"),
        Column("clips_needed", "clips to decide"),
        Column("family", "family", words=True),
        Column("full_design", "in the full design", counted=True, paired=True),
        Column("full_design_margin", "margin there"),
        Column("full_design_verdict", "verdict there", words=True),
    ]
    found = find_claims(study)
    ordered = sorted(found, key=lambda one: one.is_exploratory)
    return Table(
        "claims",
        "The claims and their verdicts",
        "Differences are system minus the one it is compared with, over the same training seeds and"
        f" clips, or main effects over a factorial, with {study.intervals}; rates in percent."
        " Beside a main effect stands that of taking the part out of the full design alone."
        f" The margin is the smallest effect worth having. {study.verdicts}".rstrip(),
        columns,
        [claim_cells(each) for one in ordered for each in (one, *one.strata)],
    )


def claim_cells(one: Claim) -> list[Cell]:
    """A claim's row, each number written as on the page."""
    digits, difference = one.metric.digits, one.difference
    return [
        text_cell(one.system),
        text_cell(one.stratum or ("main effect" if one.is_main_effect else one.against)),
        text_cell(one.text),
        text_cell(one.what + (" %" if one.metric.percent else "")),
        value_cell(one.baseline, digits),
        value_cell(one.value, digits),
        difference_cell(difference, digits),
        value_cell(one.margin, digits),
        number_cell(one.seeds),
        number_cell(difference.n_scored),
        chance_cell(difference.p),
        chance_cell(one.p_holm),
        text_cell(one.verdict),
        value_cell(one.seeds_needed if one.verdict == UNDECIDED else math.nan, 0),
        value_cell(one.clips_needed if one.verdict == UNDECIDED else math.nan, 0),
        text_cell("exploratory" if one.is_exploratory else "study"),
        *full_design_cells(one.in_full_design, digits),
    ]


def full_design_cells(one: SimpleEffect | None, digits: int) -> list[Cell]:
    """Difference, margin and verdict in the full design, of a main effect."""
    if one is None:
        return [difference_cell(NOTHING, digits), value_cell(math.nan, digits), text_cell("")]
    return [
        difference_cell(one.difference, digits),
        value_cell(one.margin, digits),
        text_cell(one.verdict),
    ]


@dataclass(frozen=True)
class PageInteractions:
    """The interactions as the page has them."""

    first: Table  # what is clear, and with it the LISTED smallest p
    folded: Table
    unmeasured: list[str]  # metrics


def page_interactions(study: Study) -> PageInteractions:
    """Those that say something first, the others folded, and the metrics without any."""
    every = interactions(study)
    ordered = in_order(study.results.interactions)
    measured = [row for row in ordered if not math.isnan(row["difference"])]
    count = max(LISTED, sum(is_clear(row) for row in measured))
    names = [describe(row["condition"], row["metric"]) for row in ordered[len(measured) :]]
    known = {describe(row["condition"], row["metric"]) for row in measured}
    first, folded = every.rows[:count], every.rows[count : len(measured)]
    return PageInteractions(
        replace(every, rows=first[: len(measured)]),
        replace(every, rows=folded),
        [name for name in dict.fromkeys(names) if name not in known],
    )


def in_order(rows: Sequence[Record]) -> list[Record]:
    """The clear interactions, then the others by p after Holm, then what was not measured."""

    def place(row: Record) -> tuple[bool, bool, float]:
        p = row["p_holm"]
        return (math.isnan(row["difference"]), not is_clear(row), 2.0 if math.isnan(p) else p)

    return sorted(rows, key=place)


def interactions(study: Study) -> Table:
    """How the effect of taking one part away changes when another one is gone too."""
    return Table(
        "interactions",
        "Interactions of the factors",
        "The effect of taking one part away with the other one away too, minus that with the"
        " other one in place; over all cells of the factorial, after Holm's correction for the"
        " pairs of a metric. Where one is clear, claims are given within its strata. Clear ones"
        " first, then by p.",
        [
            Column("metric", "metric", words=True),
            Column("factor", "taken away", words=True),
            Column("other", "depending on", words=True),
            Column("difference", "difference", counted=True, paired=True),
            Column("seeds", "seeds"),
            Column("clips", "clips"),
            Column("p_holm", "p after Holm"),
            Column("clear", "clear", words=True),
        ],
        [interaction_cells(row) for row in in_order(study.results.interactions)],
    )


def interaction_cells(row: Record) -> list[Cell]:
    """One pair of factors in one metric."""
    metric = metric_of(row["metric"])
    difference = Estimate(row["difference"], row["low"], row["high"], int(row["clips"]))
    return [
        text_cell(describe(row["condition"], row["metric"]) + (" %" if metric.percent else "")),
        text_cell(row["factor"]),
        text_cell(row["other"]),
        difference_cell(metric.shown(difference), metric.digits),
        number_cell(int(row["seeds"])),
        number_cell(int(row["clips"])),
        chance_cell(row["p_holm"]),
        text_cell("yes" if is_clear(row) else "no"),
    ]


def value_cell(value: float, digits: int) -> Cell:
    return Cell(UNKNOWN if math.isnan(value) else plain(value, digits), value)
