"""Main effects and interactions of a factorial: the same contrast mechanism as a difference.

A cell of a factorial goes without some of the factors' parts: a set of ablations. The main effect
of one ablation is the mean of the cells with it minus the mean of those without it; an interaction
is the difference between an ablation's effects with and without another one (Box, Hunter and
Hunter, 2005, chapter 5).
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

Weights = dict[str, float]  # by system, with sum 0


def difference(system: str, against: str) -> Weights:
    return {system: 1.0, against: -1.0}


def main_effect(
    factor: str, cells: Mapping[str, frozenset[str]], given: Mapping[str, bool] | None = None
) -> Weights:
    """The effect of taking `factor` away, over the cells (system -> factors taken away).

    `given` keeps to the stratum where other factors are taken away (True) or in place (False).
    """
    chosen = {
        system: taken
        for system, taken in cells.items()
        if all((other in taken) == state for other, state in (given or {}).items())
    }
    half = len(chosen) / 2
    return {system: (1 if factor in taken else -1) / half for system, taken in chosen.items()}


def interaction(factors: Sequence[str], cells: Mapping[str, frozenset[str]]) -> Weights:
    """How the effect of one factor changes when another is taken away, and so on for more.

    Products of the factors' signs, scaled so that two factors give effect(f | g away) -
    effect(f | g in place).
    """
    scale = len(cells) / 2 ** len(factors)
    return {
        system: (-1.0) ** sum(factor not in taken for factor in factors) / scale
        for system, taken in cells.items()
    }


def pairs(factors: Sequence[str]) -> list[tuple[str, str]]:
    """The two-factor interactions."""
    return list(combinations(factors, 2))
