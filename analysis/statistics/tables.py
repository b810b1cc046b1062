"""All statistics of a study as files in its folder (analysis/statistics/study_runs.py).

- statistics.csv: a row for each system, condition and metric: its value, and its difference to the
  baseline of the same training budget.
- claims.csv, interactions.csv and budget_changes.csv: see study_verdicts.py.
- statistics.json: from which tables they were made, so that a reader sees whether they are still
  those; which claims are open; and the looks of a study that goes on until they are decided.
"""

import hashlib
import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from analysis.statistics.budget_changes import BudgetChange
from analysis.statistics.contrasts import difference
from analysis.statistics.differences import ALPHA
from analysis.statistics.interactions import Interaction
from analysis.statistics.measured import UNMEASURED, measure, system_estimate
from analysis.statistics.ratios import Cell, Ratio, find_ratios, most_frequent
from analysis.statistics.sequential import Look, look_again
from analysis.statistics.study_runs import Study, cells, has_tables, read_study
from analysis.statistics.study_verdicts import Inferences, Verdict, find_verdicts, is_open
from dcvae.claims import BASELINE
from dcvae.runs import (
    BUDGET_CHANGES,
    CLAIMS,
    INTERACTIONS,
    STATISTICS,
    STATISTICS_RECORD,
    read_statistics,
)
from dcvae.system_names import system_name
from dcvae.utils.errors import damage_in
from dcvae.utils.files import replace_json, replace_text
from dcvae.utils.locks import folder_lock

VERSION = 2
LOCK = ".statistics.lock"  # the study itself may hold its folder meanwhile
PATIENCE = 600.0  # seconds for another process to write the same files


class Statistic(NamedTuple):
    """One row of statistics.csv.

    n_scored and n_failed count the measurements of all seeds; seeds_paired and n_paired count the
    seeds and clips that both systems have, which alone enter the difference. Nothing is corrected
    for the number of rows: these are exploratory. With one paired seed there is no p, and the
    interval is over clips, of these weights.
    """

    system: str
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
    p: float = math.nan
    n_paired: int = 0
    seeds_paired: int = 0
    reason: str = ""  # the most frequent one of failures


class Summary(NamedTuple):
    """One metric of one run, with its 95% interval over clips."""

    condition: str
    metric: str
    mean: float
    low: float
    high: float
    n_scored: int
    n_failed: int
    reason: str


def summarise_study(folder: Path) -> list[str]:
    """Compute and write all statistics of the study in `folder` from what is analysed in it.

    Another process that does the same just now is waited for. Returns a line for each run that is
    left out. Where the folder is no study (a run may lie anywhere) there is one line, and nothing
    is written.
    """
    with folder_lock(folder, PATIENCE, LOCK) if has_tables(folder) else nullcontext():
        return summarise_locked(folder)


def summarise_locked(folder: Path) -> list[str]:
    """The part of `summarise_study` that reads and writes."""
    study = read_study(folder)
    if not study.analysed:
        line = f"{folder} holds no analysed run (ABLATION/seed<N>): no statistics"
        return [*study.left_out, line]
    looks: list[Look] = []
    if study.plan is not None and study.plan.max_seeds is not None:
        study, found, looks = look_again(study, read_looks(folder))
    else:
        found = find_verdicts(study)
    write(folder, study, compute(study), found, looks)
    return study.left_out


def read_looks(folder: Path) -> list[Look]:
    """The looks that were taken before."""
    path = folder / STATISTICS_RECORD
    if not os.path.lexists(path):
        return []
    record = read_statistics(folder)
    with damage_in(path):
        return [Look(**one) for one in record.get("looks", ())]


def summarise_run(table: pd.DataFrame, speakers: Mapping[str, str]) -> pd.DataFrame:
    """One run's table as a row for each condition and metric: the columns of Summary.

    Clips of one speaker, who is given by clip, are a cluster.
    """
    rows = []
    for cell, ratio in find_ratios(table).items():
        one = system_estimate({0: ratio}, speakers)
        low, high = one.interval()
        rows.append(
            Summary(*cell, one.value, low, high, ratio.n_scored, ratio.n_failed, ratio.reason)
        )
    return pd.DataFrame(rows, columns=pd.Index(Summary._fields))


def compute(study: Study) -> list[Statistic]:
    """Every statistic, the baseline's first."""
    return [
        statistic(study, system, cell)
        for system in study.systems
        for cell in cells(study.of(system))
    ]


def statistic(study: Study, system: str, cell: Cell) -> Statistic:
    """The row of one system in one cell, with what failed counted over all its seeds."""
    runs = [run for run in study.of(system) if run.ratios and cell in run.ratios]
    tried: list[Ratio] = [(run.ratios or {})[cell] for run in runs]
    own = system_estimate(study.ratios(system, cell), study.speakers)
    against = system_name(BASELINE, runs[0].budget)
    found = UNMEASURED
    if system != against:
        found = measure(study, cell, difference(system, against))
    one = found.estimate
    low, high = one.interval()
    return Statistic(
        system,
        *cell,
        own.value,
        *own.interval(),
        n_scored=sum(ratio.n_scored for ratio in tried),
        n_failed=sum(ratio.n_failed for ratio in tried),
        seeds=sum(ratio.n_scored > 0 for ratio in tried),
        difference=one.value,
        difference_low=low,
        difference_high=high,
        p=one.p,
        n_paired=one.n_clips,
        seeds_paired=one.n_seeds,
        reason=most_frequent([ratio.reason for ratio in tried]),
    )


def write(
    folder: Path,
    study: Study,
    statistics: Sequence[Statistic],
    found: Inferences,
    looks: Sequence[Look],
) -> None:
    """The files of the study, statistics.json last: it names the contents of the others."""
    digests = {}
    for name, rows, columns in (
        (STATISTICS, statistics, Statistic._fields),
        (CLAIMS, found.verdicts, Verdict._fields),
        (INTERACTIONS, found.interactions, Interaction._fields),
        (BUDGET_CHANGES, found.budget_changes, BudgetChange._fields),
    ):
        text = pd.DataFrame(rows, columns=pd.Index(columns)).to_csv(
            index=False, na_rep="nan", float_format="%.10g"
        )
        digests[name] = hashlib.sha256(text.encode()).hexdigest()
        replace_text(folder / name, text)
    record = {
        "version": VERSION,
        "alpha": ALPHA,
        **plan_record(study),
        "seeds": sorted({run.seed for run in study.analysed}),
        "steps": study.steps,
        "looks": [look._asdict() for look in looks],
        "open": [one.name for one in found.verdicts if is_open(one)],
        "verdicts": dict(Counter(one.verdict for one in found.verdicts if not one.stratum)),
        "files": digests,
        "tables": {run.name: run.sha256 for run in study.analysed},
        "left_out": study.left_out,
    }
    replace_json(folder / STATISTICS_RECORD, record)


def plan_record(study: Study) -> Mapping[str, Any]:
    """What the study's plan says; nothing where it has none."""
    if study.plan is None:
        return {"study": None, "phases": [], "factors": [], "family": [], "max_seeds": None}
    return {
        "study": study.plan.name,
        "phases": [name for name in dict.fromkeys(study.plan.phases) if name],
        "factors": study.plan.factors,
        "family": sorted(study.plan.family),
        "max_seeds": study.plan.max_seeds,
    }
