"""What a table of the paper is: cells that carry the page's own text and the number behind it."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from reports.formatting import UNKNOWN, chance, plain, signed, span
from reports.metric_registry import Metric
from reports.study.results import Estimate
from reports.tables.page_rows import Result

IsClear = Callable[[str, str], bool]  # whether (system, key) bears the dagger


@dataclass(frozen=True)
class Column:
    """`key` heads it in the CSV, `title` elsewhere."""

    key: str
    title: str
    counted: bool = False  # estimates, with interval and counts
    paired: bool = False  # differences, over the clips that both systems have: none of them failed
    words: bool = False  # and no numbers
    long: bool = False  # sentences, which are broken into lines


@dataclass(frozen=True)
class Cell:
    """A text as the page has it. `raw` is what the CSV keeps: one value, or an estimate."""

    text: str
    raw: str | float | Estimate
    interval: str = ""
    best: bool = False
    clear: bool = False  # the difference to the baseline has a p below 0.05, uncorrected

    @property
    def estimate(self) -> Estimate | None:
        return self.raw if isinstance(self.raw, Estimate) else None


@dataclass(frozen=True)
class Table:
    """Rows of as many cells as there are columns; the first `references` are no models."""

    name: str  # of the files, and after "tab:" the label
    title: str
    note: str  # how to read it
    columns: list[Column] = field(default_factory=list)
    rows: list[list[Cell]] = field(default_factory=list)
    references: int = 0
    split: str = "test"  # of the manifest, whose clips these are

    @property
    def empty(self) -> bool:
        return not self.rows

    @property
    def counts(self) -> tuple[int, int]:
        """Of all estimates: how many measurements failed, and how many were tried."""
        found = [cell.estimate for row in self.rows for cell in row if cell.estimate]
        failed = sum(one.n_failed for one in found)
        return failed, failed + sum(one.n_scored for one in found)

    @property
    def tried(self) -> dict[str, list[str]]:
        """The titles of columns by how many measurements stand behind a number, most first."""
        found: dict[tuple[int, int], list[str]] = {}
        for place, column in enumerate(self.columns):
            estimates = (row[place].estimate for row in self.rows)
            sums = [one.n_scored + one.n_failed for one in estimates if one]
            if any(sums):
                least = min(one for one in sums if one)
                found.setdefault((max(sums), least), []).append(column.title)
        return {
            f"{most}" if least == most else f"{least} to {most}": found[most, least]
            for most, least in sorted(found, reverse=True)
        }

    @property
    def marks(self) -> set[str]:
        """Which of "best" and "clear" some cell bears."""
        cells = [cell for row in self.rows for cell in row]
        found = {"best": any(one.best for one in cells), "clear": any(one.clear for one in cells)}
        return {name for name, is_there in found.items() if is_there}


def text_cell(text: str) -> Cell:
    return Cell(text, text)


def number_cell(value: object, digits: int = 0, scale: float = 1.0) -> Cell:
    """A number of run.json; its text is scaled, its raw value is not."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return Cell(UNKNOWN, math.nan)
    return Cell(f"{value * scale:,.{digits}f}", value)


def chance_cell(p: float) -> Cell:
    """A p-value, below a head that says so."""
    return Cell(chance(p).removeprefix("p ").removeprefix("= "), p)


def estimate_cell(one: Estimate, digits: int, best: bool = False, clear: bool = False) -> Cell:
    """An estimate, in the unit in which it is written."""
    if not one.known:
        return Cell(UNKNOWN, one)
    interval = span(one, digits) if one.has_interval else ""
    return Cell(plain(one.mean, digits), one, interval, best, clear)


def difference_cell(one: Estimate, digits: int) -> Cell:
    """A difference, with its sign."""
    cell = estimate_cell(one, digits)
    return replace(cell, text=signed(one.mean, digits)) if one.known else cell


def metric_columns(
    metrics: Mapping[str, Metric], titles: Mapping[str, str] | None = None
) -> list[Column]:
    """A column of estimates for each metric, under its own title unless `titles` has another."""
    titles = titles or {}
    return [
        Column(
            f"{key}_percent" if metric.percent else key,
            titles.get(key, metric.title),
            counted=True,
        )
        for key, metric in metrics.items()
    ]


def metric_cells(row: Result, metrics: Mapping[str, Metric], is_clear: IsClear) -> list[Cell]:
    """One row's estimates."""
    return [
        estimate_cell(row.values[key], metric.digits, key in row.best, is_clear(row.name, key))
        for key, metric in metrics.items()
    ]


def filled(
    table: Table,
    rows: Sequence[Result],
    metrics: Mapping[str, Metric],
    is_clear: IsClear,
    titles: Mapping[str, str] | None = None,
) -> Table:
    """The table with a row of estimates for each result; still empty where none is known."""
    if not metrics or not rows:
        return table
    columns = [Column("system", "system", words=True), *metric_columns(metrics, titles)]
    body = [[text_cell(row.name), *metric_cells(row, metrics, is_clear)] for row in rows]
    return replace(table, columns=columns, rows=body)
