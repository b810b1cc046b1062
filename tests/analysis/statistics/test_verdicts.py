"""A hand-worked example of every verdict; Holm and the two one-sided tests against statsmodels."""

import math

import numpy as np
import pytest
from scipy import stats

from analysis.statistics.differences import NOTHING, Estimate, Part, estimate
from analysis.statistics.verdicts import holm, is_negligible, verdict


def of_seeds(value: float, error: float, seeds: int = 3) -> Estimate:
    """An estimate whose standard error comes of its seeds alone."""
    return Estimate(value, Part(error**2, seeds - 1), Part(0.0, math.inf), seeds, 40)


@pytest.mark.parametrize(
    ("one", "direction", "p_holm", "expected"),
    [
        (of_seeds(0.1, 0.005), "up", 0.01, "supported"),
        (of_seeds(-0.1, 0.005), "down", 0.01, "supported"),
        (of_seeds(0.1, 0.005), "down", 0.01, "contradicted"),
        (of_seeds(-0.1, 0.005), "up", 0.01, "contradicted"),
        (of_seeds(0.1, 0.05), "up", 0.05, "undecided"),
        # t(.95, 2 df) = 2.92: .002 +- 2.92 x .002 lies inside +-.01, +- 2.92 x .003 does not
        (of_seeds(0.002, 0.002), "up", 0.4, "negligible"),
        (of_seeds(0.002, 0.003), "up", 0.4, "undecided"),
        # an effect that is there and not worth having
        (of_seeds(0.002, 0.0001), "up", 0.001, "negligible"),
        (of_seeds(0.1, 0.0, seeds=1), "up", math.nan, "one seed"),
        (NOTHING, "up", math.nan, "not measured"),
    ],
)
def test_every_verdict_by_hand(one, direction, p_holm, expected):
    assert verdict(one, direction, 0.01, p_holm) == expected


def test_negligible_is_two_one_sided_t_tests():
    """Seeds alone: scipy's two one-sided tests of the same differences, on both sides of 5%."""
    rng = np.random.default_rng(0)
    outcomes = set()
    for _ in range(300):
        values = rng.normal(0.002, 0.01, 5)
        below = stats.ttest_1samp(values, -0.01, alternative="greater").pvalue
        above = stats.ttest_1samp(values, 0.01, alternative="less").pvalue
        found = is_negligible(estimate(values[:, None], np.zeros(1)), 0.01)
        assert found == (max(below, above) < 0.05)
        outcomes.add(found)
    assert outcomes == {True, False}


def test_holm_by_hand():
    """Sorted .01, .02, .03, .04 times 4, 3, 2, 1: .04, .06, .06, .06."""
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])


def test_holm_counts_the_tests_that_are_still_to_come():
    """Of three tests .02 is taken three times, .03 twice."""
    found = holm([0.02, math.nan, 0.03])
    assert found[0] == pytest.approx(0.06)
    assert math.isnan(found[1])
    assert found[2] == pytest.approx(0.06)
    assert holm([]) == []


def test_what_holm_rejects_stays_rejected_whatever_other_tests_bring():
    rng = np.random.default_rng(2)
    for _ in range(200):
        known, later = rng.uniform(0, 0.05, 4) ** 2, rng.uniform(0, 1, 3)
        first = holm([*known, *[math.nan] * 3])
        assert all(now <= was for was, now in zip(first[:4], holm([*known, *later]), strict=False))


def test_holm_rejects_as_its_definition_says():
    """Step down through the sorted p-values until one exceeds alpha / (m - k)."""
    rng = np.random.default_rng(1)
    for _ in range(200):
        p = rng.uniform(0, 0.1, 6) ** 2
        rejected = set()
        for rank, index in enumerate(np.argsort(p)):
            if p[index] > 0.05 / (6 - rank):
                break
            rejected.add(int(index))
        assert {n for n, one in enumerate(holm(list(p))) if one <= 0.05} == rejected
