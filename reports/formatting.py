"""How numbers are written."""

import math

from reports.study.results import Estimate

MINUS = "\N{MINUS SIGN}"
UNKNOWN = "\N{EN DASH}"


def plain(value: float, digits: int = 3) -> str:
    """A value."""
    return f"{value:z.{digits}f}".replace("-", MINUS)


def span(one: Estimate, digits: int = 3) -> str:
    """An interval for a sentence or a cell."""
    return f"{one.low:z.{digits}f} to {one.high:z.{digits}f}".replace("-", MINUS)


def signed(value: float, digits: int = 3) -> str:
    """A difference with its sign."""
    return f"{value:+.{digits}f}".replace("-", MINUS)


def chance(p: float) -> str:
    """A p-value."""
    if math.isnan(p):
        return UNKNOWN
    return f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"
