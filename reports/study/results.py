"""What the analysis computed of a study: the CSV files and statistics.json in its folder."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dcvae.runs import (
    BUDGET_CHANGES,
    CLAIMS,
    INTERACTIONS,
    STATISTICS,
    STATISTICS_RECORD,
    RunError,
    read_statistics,
)
from dcvae.utils.files import files_sha256

STATISTICS_COLUMNS = {
    "system", "condition", "metric", "value", "low", "high", "n_scored", "n_failed", "seeds",
    "difference", "difference_low", "difference_high", "p", "n_paired", "seeds_paired", "reason",
}  # fmt: skip
CLAIMS_COLUMNS = {
    "claim", "system", "against", "component", "text", "condition", "metric", "direction",
    "margin", "contrast", "stratum", "family", "baseline", "value", "difference", "low", "high",
    "low_90", "high_90", "p", "p_holm", "verdict", "seeds", "clips", "seeds_needed",
    "clips_needed", "look", "reason", "full_design_margin", "full_design_p",
    "full_design_seeds", "full_design_verdict",
}  # fmt: skip
INTERACTIONS_COLUMNS = {
    "condition", "metric", "factor", "other", "difference", "low", "high", "p", "p_holm", "clear",
    "seeds", "clips",
}  # fmt: skip
BUDGET_CHANGES_COLUMNS = {
    "claim", "condition", "metric", "shorter", "longer", "difference", "low", "high", "p", "p_holm",
    "clear", "seeds", "clips",
}  # fmt: skip
TEXTS = {
    "system", "against", "claim", "component", "text", "condition", "metric", "direction",
    "contrast", "stratum", "family", "verdict", "full_design_verdict", "factor", "other", "clear",
    "reason",
}  # fmt: skip
FILES = {
    STATISTICS: STATISTICS_COLUMNS,
    CLAIMS: CLAIMS_COLUMNS,
    INTERACTIONS: INTERACTIONS_COLUMNS,
    BUDGET_CHANGES: BUDGET_CHANGES_COLUMNS,
}
COUNTS = {
    "n_scored", "n_failed", "n_paired", "seeds", "seeds_paired", "clips", "full_design_seeds",
    "shorter", "longer",
}  # fmt: skip
UNDECIDED, ONE_SEED, NOT_MEASURED = "undecided", "one seed", "not measured"
DECIDED = ("supported", "contradicted", "negligible")
VERDICTS = (*DECIDED, UNDECIDED, ONE_SEED, NOT_MEASURED)
ALPHA = 0.05


@dataclass(frozen=True)
class Estimate:
    """A value, its 95% interval, and how many measurements are behind it."""

    mean: float
    low: float
    high: float
    n_scored: int
    n_failed: int = 0
    reason: str = ""  # the most frequent one of what failed
    p: float = math.nan  # of a difference over several seeds: that there is none; not corrected
    seeds: int = 0  # that have a value

    @property
    def known(self) -> bool:
        return not math.isnan(self.mean)

    @property
    def has_interval(self) -> bool:
        return not math.isnan(self.low)

    @property
    def clear(self) -> bool:
        """For a difference over at least two paired seeds: p < 0.05. One seed tests nothing."""
        return self.p < ALPHA

    def scaled(self, factor: float) -> "Estimate":
        """In another unit."""
        mean, low, high = factor * self.mean, factor * self.low, factor * self.high
        return replace(self, mean=mean, low=low, high=high)


NOTHING = Estimate(math.nan, math.nan, math.nan, 0)


def of_most_seeds(values: Mapping[str, Estimate]) -> dict[str, float]:
    """The means of the known values that rest on most seeds: with fewer, seeds differ too much."""
    known = {name: one for name, one in values.items() if one.known}
    most = max((one.seeds for one in known.values()), default=0)
    return {name: one.mean for name, one in known.items() if one.seeds == most}


Record = dict[str, Any]
KEY = ["system", "condition", "metric"]


@dataclass(frozen=True)
class Results:
    """What a study's statistics say, and how and from which tables of the runs they were made."""

    values: pd.DataFrame  # the columns of statistics.csv
    claims: list[Record] = field(default_factory=list)  # the columns of claims.csv
    record: Record = field(default_factory=dict)
    interactions: list[Record] = field(default_factory=list)  # the columns of interactions.csv
    budget_changes: list[Record] = field(default_factory=list)  # of budget_changes.csv

    @cached_property
    def rows(self) -> dict[tuple[str, ...], Record]:
        """The rows of `values` by KEY."""
        return {tuple(row[name] for name in KEY): row for row in records(self.values)}

    @property
    def steps(self) -> int | None:
        """Of the size's own training; None where no run has it."""
        return self.record.get("steps")

    def estimate(self, system: str, condition: str, metric: str) -> Estimate:
        """One system's value; NOTHING where it has no such row."""
        row = self.rows.get((system, condition, metric))
        if row is None:
            return NOTHING
        counts = int(row["n_scored"]), int(row["n_failed"])
        seeds = int(row["seeds"])
        return Estimate(row["value"], row["low"], row["high"], *counts, row["reason"], seeds=seeds)

    def difference(self, system: str, condition: str, metric: str) -> Estimate:
        """One system minus the baseline, on the seeds and clips that both have."""
        row = self.rows.get((system, condition, metric))
        if row is None:
            return NOTHING
        low, high = row["difference_low"], row["difference_high"]
        return Estimate(row["difference"], low, high, int(row["n_paired"]), p=row["p"])

    def select(self, metric: str, condition: str, systems: Sequence[str]) -> pd.DataFrame:
        """A metric's known values: columns system, condition, level, mean, low, high.

        `condition` is a regular expression of whole names, whose group, if it has one, is the
        level: the number of a noise or a step; 0 where it takes no part. Rows are in the order of
        `systems`, then by level.
        """
        asked = self.values["metric"].eq(metric) & self.values["system"].isin(systems)
        found = self.values[asked & self.values["value"].notna()]
        matches = found["condition"].map(re.compile(condition).fullmatch)
        found, matches = found[matches.notna()], matches.dropna()
        level = [float(match[1] or 0) if match.re.groups else 0.0 for match in matches]
        found = found.rename(columns={"value": "mean"}).assign(level=level)
        found = found.sort_values("level", kind="stable")
        found = found.sort_values("system", key=lambda one: one.map(systems.index), kind="stable")
        numbers = dict.fromkeys(("level", "mean", "low", "high"), float)
        return found[["system", "condition", *numbers]].astype(numbers).reset_index(drop=True)


def read_results(folder: Path, command: str) -> Results:
    """The statistics of the study in `folder`.

    RunError, with the command that makes them, where they are missing or damaged.
    """
    for name in (*FILES, STATISTICS_RECORD):
        if not (folder / name).is_file():
            raise RunError(f"{folder / name} is missing: run `{command}`")
    record = read_statistics(folder)
    for name in FILES:
        if files_sha256(folder / name) != (record.get("files") or {}).get(name):
            raise RunError(f"{folder / name} is not what was computed: run `{command}`")
    values, *others = (
        read_table(folder / name, columns, command) for name, columns in FILES.items()
    )
    claims, interactions, changes = map(records, others)
    return Results(values, claims, record, interactions, changes)


def read_table(path: Path, columns: set[str], command: str) -> pd.DataFrame:
    """A CSV of these columns; "nan" is a missing number, and text is never one.

    RunError where a column is missing, a number is none, a count is not finite, or a verdict is
    none of VERDICTS.
    """
    try:
        table = pd.read_csv(path, keep_default_na=False, dtype=dict.fromkeys(TEXTS, str))
    except ValueError as error:
        raise RunError(f"{path} is damaged: {error}") from error
    if not columns <= set(table.columns):
        missing = ", ".join(sorted(columns - set(table.columns)))
        raise RunError(f"{path} has no column {missing}: run `{command}`")
    numbers = [name for name in table.columns if name not in TEXTS]
    try:
        table[numbers] = table[numbers].astype(float)
    except ValueError as error:
        raise RunError(f"{path} is damaged: {error}") from error
    for name in sorted(COUNTS & columns):
        if not np.isfinite(table[name]).all():
            raise RunError(f"{path} is damaged: a count in its column {name} is not finite")
    unknown = set(table.get("verdict", ())) - set(VERDICTS)
    unknown |= set(table.get("full_design_verdict", ())) - {*VERDICTS, ""}
    if unknown:
        raise RunError(f"{path} is damaged: it has the unknown verdict {min(unknown)!r}")
    return table


def is_clear(row: Record) -> bool:
    """What the column `clear` of a row says."""
    return bool(row["clear"].lower() == "true")


def records(table: pd.DataFrame) -> list[Record]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
