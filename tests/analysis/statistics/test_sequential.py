"""What looks may spend, and that a study which looks often keeps its 5%."""

import numpy as np
import pytest

from analysis.statistics.differences import estimate
from analysis.statistics.sequential import level_of_look, spent
from analysis.statistics.verdicts import holm


def test_looks_spend_their_share_and_all_of_it_at_the_end():
    """At 2, 3 and 8 of at most 8 seeds: 2/8, 1/8 and 5/8 of 5%."""
    levels = [level_of_look(2, [], 8), level_of_look(3, [2], 8), level_of_look(8, [2, 3], 8)]
    assert levels == pytest.approx([0.0125, 0.00625, 0.03125])
    assert sum(levels) == pytest.approx(0.05)
    assert spent(20, 8) == 0.05


def test_a_study_with_one_look_spends_all():
    assert level_of_look(3, [], None) == 0.05


def test_the_same_look_again_spends_nothing_new():
    assert level_of_look(3, [2, 3], 8) == 0


def test_the_chance_of_a_false_verdict_over_all_looks():
    """Five claims without effect, looks at 2 to 8 seeds: at most 6% of 400 studies."""
    rng, wrong = np.random.default_rng(0), 0
    for _ in range(400):
        systems = rng.normal(0, 1, (6, 8, 1)) + rng.normal(0, 0.3, (6, 1, 20))
        found = False
        for seeds in range(2, 9):
            alpha = level_of_look(seeds, list(range(2, seeds)), 8)
            p = [estimate(one[:seeds] - systems[0][:seeds], np.arange(20)).p for one in systems[1:]]
            found = found or min(holm(p)) < alpha
        wrong += found
    assert wrong / 400 <= 0.06
