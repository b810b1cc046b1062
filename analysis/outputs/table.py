"""The one tidy table: a row for each run, clip, condition and metric."""

import os
from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd

from dcvae.utils.errors import damage_in
from dcvae.utils.files import replacing

COLUMNS = ("run", "ablation", "seed", "clip", "condition", "metric", "value", "reason")


class Row(NamedTuple):
    """One measurement of one clip, or of the whole set where the clip is "".

    A failed one has the value NaN and a reason, and is counted.
    """

    clip: str
    condition: str
    metric: str
    value: float
    reason: str = ""


def make_table(run: str, ablation: str, seed: int, rows: Iterable[Row]) -> pd.DataFrame:
    """Rows of one run as a table in a fixed order, so that the same rows give the same file."""
    table = pd.DataFrame(
        [(run, ablation, seed, *row) for row in rows], columns=pd.Index(COLUMNS)
    ).astype({"seed": int, "value": float})
    return table.sort_values(["condition", "metric", "clip"], ignore_index=True)


def write_table(path: str | os.PathLike[str], table: pd.DataFrame) -> None:
    """CSV, whole or not at all; floats round-trip and a failed measurement reads "nan"."""
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, na_rep="nan", columns=list(COLUMNS))


def read_table(path: str | os.PathLike[str]) -> pd.DataFrame:
    """The table back; ValueError where the file is no such table."""
    labels = dict.fromkeys(("run", "ablation", "clip", "condition", "metric"), str)
    numbers = {"value": ["nan"]}
    with damage_in(path):
        table = pd.read_csv(path, dtype=labels, keep_default_na=False, na_values=numbers)
        if tuple(table.columns) != COLUMNS:
            raise ValueError(f"its columns are {list(table.columns)}: it is no analysis table")
        return table.astype({"value": float})


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Mean, n_scored and n_failed by condition and metric; NaN never enters a mean."""
    groups = table.groupby(["condition", "metric"])["value"]
    summary = groups.agg(mean="mean", n_scored="count", n="size")
    summary["n_failed"] = summary.pop("n") - summary["n_scored"]
    return summary.reset_index()


def describe(table: pd.DataFrame) -> str:
    """The reconstruction's means and the failures, in one line for the terminal."""
    summary = summarise(table)
    of_model = summary[summary["condition"] == "reconstruction"]
    values = zip(of_model["metric"], of_model["mean"].astype(float), strict=True)
    means = [f"{metric} {mean:.3f}" for metric, mean in values]
    failed = int(summary["n_failed"].sum())
    return ", ".join(means) + (f"; {failed} measurements failed (nan)" if failed else "")
