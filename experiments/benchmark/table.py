"""Tables of what was measured, and the spread of what was measured many times."""

from collections.abc import Iterable, Iterator, Sequence
from statistics import quantiles


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Markdown, row by row as they come."""
    for line in markdown(columns, rows):
        print(line, flush=True)


def markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table."""
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The lower quartile, the median and the upper quartile; of one value, that value."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return low, middle, high


def format_quartiles(values: Sequence[float], digits: int = 2) -> str:
    """The median, with the quartiles in brackets."""
    low, middle, high = quartiles(values)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"
