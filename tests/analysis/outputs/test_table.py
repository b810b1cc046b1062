"""The tidy table: written, read back, and counted."""

import math
from pathlib import Path

import pytest

from analysis.outputs.table import (
    COLUMNS,
    Row,
    describe,
    make_table,
    read_table,
    summarise,
    write_table,
)

ROWS = [
    Row("b", "reconstruction", "stoi", 0.1 + 0.2),
    Row("a", "reconstruction", "stoi", math.nan),
    Row("007", "reconstruction", "stoi", 0.5),
    Row("a", "ceiling", "stoi", math.nan),
]


def test_round_trip_is_exact(tmp_path: Path) -> None:
    table = make_table("tiny/baseline/seed0", "baseline", 0, ROWS)
    write_table(tmp_path / "table.csv", table)
    back = read_table(tmp_path / "table.csv")
    assert tuple(back.columns) == COLUMNS
    assert back.equals(table)
    assert "007" in set(back["clip"])
    assert "nan" in (tmp_path / "table.csv").read_text()
    assert list(tmp_path.iterdir()) == [tmp_path / "table.csv"]


def test_failures_are_counted_and_enter_no_mean() -> None:
    summary = summarise(make_table("r", "baseline", 0, ROWS)).set_index("condition")
    assert summary.loc["reconstruction", "mean"] == pytest.approx(0.4)
    assert list(summary.loc["reconstruction", ["n_scored", "n_failed"]]) == [2, 1]
    assert list(summary.loc["ceiling", ["n_scored", "n_failed"]]) == [0, 1]
    assert math.isnan(summary.loc["ceiling", "mean"])


def test_the_terminal_line_names_means_and_failures() -> None:
    line = describe(make_table("r", "baseline", 0, ROWS))
    assert line == "stoi 0.400; 2 measurements failed (nan)"


def test_the_order_of_rows_does_not_matter() -> None:
    assert make_table("r", "x", 0, ROWS).equals(make_table("r", "x", 0, ROWS[::-1]))


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="is no analysis table"):
        read_table(tmp_path / "other.csv")
