"""Looks at a study that goes on: how much of the 5% each may spend.

A study that adds a block of seeds while a claim is open looks at its data several times. The chance
of a false verdict over all looks is held by spending: a look at n of at most N seeds may have spent
alpha * n / N in all, the linear function of Kim and DeMets (1987) in the scheme of Lan and DeMets
(1983), and each look tests at what is new since the one before. The looks' correlation is not
used: by the union bound the sum holds whatever it is, at the price of some power.
"""

from collections.abc import Sequence

from analysis.statistics.differences import ALPHA


def spent(seeds: int, max_seeds: int, alpha: float = ALPHA) -> float:
    """What may be spent up to a look at `seeds` of `max_seeds`."""
    return alpha * min(1.0, seeds / max_seeds)


def level_of_look(
    seeds: int, earlier: Sequence[int], max_seeds: int | None, alpha: float = ALPHA
) -> float:
    """The level of the tests at this look, after looks at `earlier` numbers of seeds.

    All of `alpha` where the study has one look (`max_seeds` None).
    """
    if max_seeds is None:
        return alpha
    return spent(seeds, max_seeds, alpha) - spent(max(earlier, default=0), max_seeds, alpha)
