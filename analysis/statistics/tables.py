"""All statistics of a study: intervals of every metric, differences to the baseline, verdicts.

A study is the folder RUNS/SIZE. What is computed from the tables of its runs lies in it:
statistics.csv (a row for each ablation, condition and metric), claims.csv (analysis/claims.py) and
statistics.json, which says from which tables, so that a reader sees whether they are still those.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from analysis.claims import Verdict, judge
from analysis.metrics.bootstrap import (
    DRAWS,
    LEVEL,
    NO_COMPARISON,
    NO_INTERVAL,
    SEED,
    Array,
    Comparison,
    Interval,
    Resampler,
    System,
    compare,
    interval,
)
from analysis.ratios import Cell, Ratio, find_ratios, most_frequent, pair, system
from analysis.study import BASELINE, Study, cells, read_study
from dcvae.atomic import replacing

VERSION = 1
MEMORY = 150_000_000  # bytes of drawn weights to keep


class Statistic(NamedTuple):
    """One row of statistics.csv: an ablation's value, and its difference to the baseline's.

    n_scored and n_failed count the measurements of all seeds; n_paired counts the clips that
    every seed of both systems has, which alone enter the difference. p is not corrected.
    """

    ablation: str
    condition: str
    metric: str
    value: float
    low: float
    high: float
    n_scored: int
    n_failed: int
    seeds: int  # that have a value
    difference: float = math.nan
    difference_low: float = math.nan
    difference_high: float = math.nan
    effect: float = math.nan
    p: float = math.nan
    n_paired: int = 0
    reason: str = ""  # the most frequent one of failures


class Summary(NamedTuple):
    """One metric of one run, with its interval over clips."""

    condition: str
    metric: str
    mean: float
    low: float
    high: float
    n_scored: int
    n_failed: int
    reason: str


class Draws:
    """Resamplers by number of clips, so that systems on the same clips are drawn alike."""

    def __init__(self) -> None:
        self.known: dict[int, Resampler] = {}

    def replicates(self, systems: Sequence[System]) -> list[Array]:
        """The statistic of each in every draw, [draws]."""
        found: dict[int, Array] = {}
        sizes = [one.numerators.shape[1] for one in systems]
        for size in sorted(set(sizes)):
            chosen = [number for number, other in enumerate(sizes) if other == size]
            drawn = self.resampler(size).replicates([systems[number] for number in chosen])
            found.update(zip(chosen, drawn, strict=True))
        return [found[number] for number in range(len(systems))]

    def resampler(self, clips: int) -> Resampler:
        """The one for so many clips."""
        if clips not in self.known:
            if sum(one.counts.nbytes for one in self.known.values()) > MEMORY:
                self.known.clear()
            self.known[clips] = Resampler(clips)
        return self.known[clips]


def summarise_study(folder: Path) -> list[str]:
    """Compute and write all statistics of the study RUNS/SIZE from what is analysed in it.

    Returns a line for each run that cannot be read and is left out. Where the folder is no study
    (a run may lie anywhere) there is one line, and nothing is written.
    """
    study = read_study(folder)
    if not study.analysed:
        return [
            *study.left_out,
            f"{folder} holds no analysed run (ABLATION/seed<N>): no statistics",
        ]
    statistics, comparisons = compute(study)
    write(folder, study, statistics, judge(study, comparisons))
    return study.left_out


def summarise_run(table: pd.DataFrame) -> pd.DataFrame:
    """One run's table as a row for each condition and metric: the columns of Summary."""
    draws = Draws()
    rows = []
    for cell, ratio in find_ratios(table).items():
        value, low, high = math.nan, math.nan, math.nan
        if ratio.n_scored:
            one = system([ratio], "")
            value, (low, high) = one.value, interval(draws.replicates([one])[0], one.clips, 1)
        counts = ratio.n_scored, ratio.n_failed
        rows.append(Summary(*cell, value, low, high, *counts, ratio.reason))
    return pd.DataFrame(rows, columns=pd.Index(Summary._fields))


def compute(study: Study) -> tuple[list[Statistic], dict[tuple[str, Cell], Comparison]]:
    """Every statistic, the baseline's first, and the comparisons by ablation and cell."""
    draws = Draws()
    rows: list[Statistic] = []
    comparisons: dict[tuple[str, Cell], Comparison] = {}
    ablations = list(dict.fromkeys(run.ablation for run in study.analysed))
    for cell in cells(study.analysed):
        ratios = {name: study.ratios(name, cell) for name in ablations}
        statistics, compared = compute_cell(cell, ratios, draws)
        rows += statistics
        comparisons.update({(name, cell): one for name, one in compared.items()})
    order = {name: number for number, name in enumerate(ablations)}
    rows.sort(key=lambda row: (order[row.ablation], row.condition, row.metric))
    return rows, comparisons


def compute_cell(
    cell: Cell, ratios: Mapping[str, Sequence[Ratio]], draws: Draws
) -> tuple[list[Statistic], dict[str, Comparison]]:
    """One metric in one condition for all ablations; a seed without any value takes no part."""
    scored = {name: [one for one in found if one.n_scored] for name, found in ratios.items()}
    alone = {name: system(found, name) for name, found in scored.items() if found}
    pairs = {
        name: pair(scored[name], scored[BASELINE], (name, BASELINE))
        for name in alone
        if name != BASELINE and BASELINE in alone
    }
    pairs = {
        name: both for name, both in pairs.items() if math.isfinite(both[0].value + both[1].value)
    }
    systems = [*alone.values(), *(one for both in pairs.values() for one in both)]
    drawn = iter(draws.replicates(systems))
    intervals = {name: interval(next(drawn), one.clips, one.seeds) for name, one in alone.items()}
    compared = {name: compare(*both, (next(drawn), next(drawn))) for name, both in pairs.items()}
    rows = [
        statistic(
            name,
            cell,
            found,
            alone[name].value if name in alone else math.nan,
            intervals.get(name, NO_INTERVAL),
            compared.get(name, NO_COMPARISON),
        )
        for name, found in ratios.items()
        if found
    ]
    return rows, compared


def statistic(
    ablation: str,
    cell: Cell,
    ratios: Sequence[Ratio],
    value: float,
    span: Interval,
    compared: Comparison,
) -> Statistic:
    """The row of one ablation in one cell, with what failed counted over all its seeds."""
    return Statistic(
        ablation,
        *cell,
        value,
        *span,
        n_scored=sum(one.n_scored for one in ratios),
        n_failed=sum(one.n_failed for one in ratios),
        seeds=sum(one.n_scored > 0 for one in ratios),
        difference=compared.difference,
        difference_low=compared.low,
        difference_high=compared.high,
        effect=compared.effect,
        p=compared.p,
        n_paired=compared.clips,
        reason=most_frequent([one.reason for one in ratios]),
    )


def write(
    folder: Path, study: Study, statistics: Sequence[Statistic], verdicts: Sequence[Verdict]
) -> None:
    """The three files of the study, statistics.json last: it names the contents of the others."""
    digests = {}
    for name, rows, columns in (
        ("statistics.csv", statistics, Statistic._fields),
        ("claims.csv", verdicts, Verdict._fields),
    ):
        text = pd.DataFrame(rows, columns=pd.Index(columns)).to_csv(
            index=False, na_rep="nan", float_format="%.10g"
        )
        digests[name] = hashlib.sha256(text.encode()).hexdigest()
        with replacing(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    record = {
        "version": VERSION,
        "draws": DRAWS,
        "seed": SEED,
        "level": LEVEL,
        "files": digests,
        "tables": {run.name: run.sha256 for run in study.analysed},
        "left_out": study.left_out,
    }
    with replacing(folder / "statistics.json") as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
