"""The equal-error rate on hand-worked trials and against the definition."""

import numpy as np
import pytest

from analysis.metrics.score import Unmeasurable
from analysis.metrics.verification import cosine, equal_error_rate, verification_trials


def test_cosine_by_hand() -> None:
    assert cosine(np.array([3.0, 4.0]), np.array([4.0, 3.0])) == pytest.approx(24 / 25)
    with pytest.raises(Unmeasurable):
        cosine(np.zeros(2), np.ones(2))


@pytest.mark.parametrize(
    ("same", "different", "expected"),
    [
        ([0.9, 0.8], [0.1, 0.2], 0.0),
        ([0.1, 0.2], [0.8, 0.9], 1.0),
        ([0.9, 0.8, 0.7, 0.2], [0.75, 0.3, 0.1, 0.0], 0.25),
        ([0.5, 0.5], [0.5, 0.5], 0.5),
    ],
)
def test_equal_error_rate_by_hand(same, different, expected: float) -> None:
    scores = np.array([*same, *different])
    labels = np.array([True] * len(same) + [False] * len(different))
    assert equal_error_rate(scores, labels) == pytest.approx(expected)


def test_equal_error_rate_of_two_normals_is_the_closed_form() -> None:
    """Means d apart with unit variance cross at d / 2: EER = Phi(-d / 2)."""
    from scipy.stats import norm

    generator = np.random.default_rng(0)
    scores = np.concatenate([generator.normal(2, 1, 50_000), generator.normal(0, 1, 50_000)])
    labels = np.arange(100_000) < 50_000
    assert equal_error_rate(scores, labels) == pytest.approx(norm.cdf(-1), abs=0.003)


def test_trials_leave_the_clip_itself_out() -> None:
    vectors = np.eye(3)
    scores, same = verification_trials(vectors, vectors, ["a", "a", "b"])
    assert scores.shape == same.shape == (6,)
    assert not scores.any()
    assert same.sum() == 2
    with pytest.raises(Unmeasurable):
        equal_error_rate(*verification_trials(vectors, vectors, ["a", "a", "a"]))
