"""Main effects and interactions of a small factorial, worked by hand."""

from itertools import combinations

import numpy as np
import pytest

from analysis.statistics.contrasts import difference, interaction, main_effect, pairs

CELLS = {
    "baseline": frozenset(),
    "a": frozenset("a"),
    "b": frozenset("b"),
    "a+b": frozenset("ab"),
}
VALUES = {"baseline": 1.0, "a": 2.0, "b": 4.0, "a+b": 9.0}


def value(weights: dict[str, float]) -> float:
    return sum(weight * VALUES[system] for system, weight in weights.items())


def test_a_difference_is_one_minus_the_other():
    assert value(difference("a", "baseline")) == 1


def test_a_main_effect_is_the_mean_over_the_other_factor():
    """Effects of a: 2 - 1 with b in place, 9 - 4 with b taken away."""
    assert value(main_effect("a", CELLS)) == (1 + 5) / 2
    assert value(main_effect("a", CELLS, {"b": False})) == 1
    assert value(main_effect("a", CELLS, {"b": True})) == 5


def test_an_interaction_is_the_difference_of_the_effects():
    assert value(interaction("ab", CELLS)) == 5 - 1
    assert value(interaction("ba", CELLS)) == 5 - 1


def test_four_factors_have_orthogonal_contrasts():
    """Over 16 cells all 15 effects are orthogonal, so that each has all runs behind it."""
    factors = "abcd"
    cells = {
        "+".join(taken) or "baseline": frozenset(taken)
        for size in range(5)
        for taken in combinations(factors, size)
    }
    assert len(cells) == 16
    found = [main_effect(one, cells) for one in factors]
    found += [interaction(pair, cells) for pair in pairs(factors)]
    table = np.array([[weights[cell] for cell in cells] for weights in found])
    gram = table @ table.T
    assert len(found) == 4 + 6
    assert np.count_nonzero(gram - np.diag(gram.diagonal())) == 0
    assert np.sqrt(gram[0, 0]) == pytest.approx(0.5)  # of one run's deviation; /sqrt(3 seeds): .289
    assert np.abs(table.sum(1)).max() == 0
