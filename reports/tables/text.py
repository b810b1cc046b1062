"""A table in Markdown, as the paper has it, and in CSV, at full precision."""

import re

from dcvae.utils.csv_lines import csv_line
from reports.study.results import Estimate
from reports.tables.table import Cell, Column, Table

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for one's beginning
PARTS = ("mean", "low", "high", "n_scored", "n_failed")  # the columns of an estimate


def markdown(table: Table, caption: str) -> str:
    """The caption and a pipe table."""
    return "\n".join([escape(caption), "", *pipe_table(table), ""])


def pipe_table(table: Table) -> list[str]:
    """The lines of the table; an interval stands in brackets behind its number."""
    rule = [":--" if column.words or column.long else "--:" for column in table.columns]
    rows = [[escape(column.title) for column in table.columns], rule]
    rows += [[shown(cell) for cell in row] for row in table.rows]
    return [f"| {' | '.join(row)} |" for row in rows]


def escape(text: str) -> str:
    """Text that Markdown prints as it is."""
    return re.sub(r"([\\|*<`])", r"\\\1", " ".join(text.split()))


def shown(cell: Cell) -> str:
    text = f"**{escape(cell.text)}**" if cell.best else escape(cell.text)
    behind = f" ({escape(cell.interval)})" if cell.interval else ""
    return text + ("†" if cell.clear else "") + behind


def comma_separated(table: Table) -> str:
    """Every number unrounded, in the unit of the other forms; "nan" where there is none."""
    lines = [csv_line(name for column in table.columns for name in names(column))]
    for row in table.rows:
        pairs = zip(table.columns, row, strict=True)
        found = [value for column, cell in pairs for value in values(column, cell)]
        lines.append(csv_line(plain(one) if isinstance(one, str) else one for one in found))
    return "".join(lines)


def plain(text: str) -> str:
    """Text that a spreadsheet shows and does not compute: an apostrophe marks it as such."""
    return f"'{text}" if text.startswith(FORMULA) else text


def names(column: Column) -> list[str]:
    parts = PARTS[:-1] if column.paired else PARTS
    return [f"{column.key}_{part}" for part in parts] if column.counted else [column.key]


def values(column: Column, cell: Cell) -> list[str | float]:
    """What stands in the columns of `names`."""
    if column.counted:
        one = cell.estimate
        assert one is not None, column.key
        found = [one.mean, one.low, one.high, one.n_scored, one.n_failed]
        return [*(found[:-1] if column.paired else found)]
    assert not isinstance(cell.raw, Estimate), column.key
    return [cell.raw]
