"""What the analysis computed of a study: statistics.csv and claims.csv beside the runs."""

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from dcvae.runs import (
    CLAIMS,
    INTERACTIONS,
    STATISTICS,
    STATISTICS_RECORD,
    RunError,
    read_object,
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
    "clips_needed", "look", "reason",
}  # fmt: skip
INTERACTIONS_COLUMNS = {
    "condition", "metric", "factor", "other", "difference", "low", "high", "p", "p_holm", "clear",
    "seeds", "clips",
}  # fmt: skip
TEXTS = {
    "system", "against", "claim", "component", "text", "condition", "metric", "direction",
    "contrast", "stratum", "family", "verdict", "factor", "other", "clear", "reason",
}  # fmt: skip
FILES = {
    STATISTICS: STATISTICS_COLUMNS,
    CLAIMS: CLAIMS_COLUMNS,
    INTERACTIONS: INTERACTIONS_COLUMNS,
}
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


Key = tuple[str, str, str]  # system, condition, metric
Record = dict[str, Any]


@dataclass(frozen=True)
class Statistics:
    """The rows of the tables, and how and from which tables of the runs they were made."""

    rows: dict[Key, Record]  # the columns of statistics.csv
    claims: list[Record]  # the columns of claims.csv
    record: Record
    interactions: list[Record] = field(default_factory=list)  # the columns of interactions.csv

    def estimate(self, system: str, condition: str, metric: str) -> Estimate:
        """One system's value; NOTHING where it has no such row."""
        row = self.rows.get((system, condition, metric))
        if row is None:
            return NOTHING
        counts = int(row["n_scored"]), int(row["n_failed"])
        return Estimate(row["value"], row["low"], row["high"], *counts, row["reason"])

    def difference(self, system: str, condition: str, metric: str) -> Estimate:
        """One system minus the baseline, on the seeds and clips that both have."""
        row = self.rows.get((system, condition, metric))
        if row is None:
            return NOTHING
        low, high = row["difference_low"], row["difference_high"]
        return Estimate(row["difference"], low, high, int(row["n_paired"]), p=row["p"])

    def conditions(self, metric: str) -> list[str]:
        """In which some system has a value of the metric."""
        known = (key for key, row in self.rows.items() if not math.isnan(row["value"]))
        return sorted({condition for _, condition, name in known if name == metric})


def read_statistics(folder: Path, command: str) -> Statistics:
    """The statistics of the study in `folder`.

    RunError, with the command that makes them, where they are missing or damaged.
    """
    for name in (*FILES, STATISTICS_RECORD):
        if not (folder / name).is_file():
            raise RunError(f"{folder / name} is missing: run `{command}`")
    record = read_object(folder / STATISTICS_RECORD)
    for name in FILES:
        if files_sha256(folder / name) != (record.get("files") or {}).get(name):
            raise RunError(f"{folder / name} is not what was computed: run `{command}`")
    rows, claims, interactions = (
        read_rows(folder / name, columns, command) for name, columns in FILES.items()
    )
    by_key = {(row["system"], row["condition"], row["metric"]): row for row in rows}
    return Statistics(by_key, claims, record, interactions)


def read_rows(path: Path, columns: set[str], command: str) -> list[Record]:
    """The rows of a CSV of these columns; "nan" is a missing number, and text is never one."""
    table = pd.read_csv(path, keep_default_na=False, dtype=dict.fromkeys(TEXTS, str))
    if not columns <= set(table.columns):
        missing = ", ".join(sorted(columns - set(table.columns)))
        raise RunError(f"{path} has no column {missing}: run `{command}`")
    numbers = [name for name in table.columns if name not in TEXTS]
    table[numbers] = table[numbers].astype(float)
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
