"""From an estimate and a margin to a verdict.

- supported, contradicted: the two-sided test after Holm's (1979) correction for the claims of the
  study, and the side on which the estimate lies.
- negligible: the 90% interval lies inside +-margin, which is two one-sided tests at 5%
  (Schuirmann, 1987). It goes before the others: a margin is the smallest effect worth having.
- undecided: neither.
- one seed: nothing is known of a second training, so there is no test.
- not measured: some value is missing.
"""

import math
from collections.abc import Sequence

from analysis.statistics.differences import ALPHA, Estimate

SUPPORTED, CONTRADICTED, NEGLIGIBLE = "supported", "contradicted", "negligible"
UNDECIDED, ONE_SEED, NOT_MEASURED = "undecided", "one seed", "not measured"
DECIDED = (SUPPORTED, CONTRADICTED, NEGLIGIBLE)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction for a family of tests.

    NaN, a test that is still to come, stays, and counts as one that says nothing (p = 1): what is
    below alpha today stays there whatever the others bring.
    """
    order = sorted((p, index) for index, p in enumerate(p_values) if not math.isnan(p))
    corrected, largest = list(p_values), 0.0
    for rank, (p, index) in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p))
        corrected[index] = largest
    return corrected


def bonferroni(p: float, tests: int) -> float:
    """One of so many tests, corrected; NaN stays."""
    return p if math.isnan(p) else min(1.0, tests * p)


def verdict(
    estimate: Estimate, direction: str, margin: float, p_holm: float, alpha: float = ALPHA
) -> str:
    """The verdict on a claim that `estimate` lies to the side `direction`, "up" or "down".

    `margin` is positive, in the unit of the estimate; `alpha` is what the two tests may spend.
    """
    if math.isnan(estimate.value):
        return NOT_MEASURED
    if not estimate.is_repeated:
        return ONE_SEED
    if is_negligible(estimate, margin, alpha):
        return NEGLIGIBLE
    if p_holm < alpha:
        return SUPPORTED if (estimate.value > 0) == (direction == "up") else CONTRADICTED
    return UNDECIDED


def is_clear(estimate: Estimate, margin: float, p_holm: float, alpha: float) -> bool:
    """Whether an effect is there by its corrected p, and is not negligible."""
    return p_holm < alpha and not is_negligible(estimate, margin, alpha)


def is_negligible(estimate: Estimate, margin: float, alpha: float = ALPHA) -> bool:
    """Whether two one-sided tests at `alpha` put the difference inside +-margin."""
    low, high = estimate.interval(2 * alpha)
    return -margin < low and high < margin
