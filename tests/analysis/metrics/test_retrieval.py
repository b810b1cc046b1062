"""Clip retrieval by hand, at its best and at chance, and against scikit-learn's ROC."""

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from analysis.metrics.retrieval import clip_retrieval


def values(first, second, labels) -> np.ndarray:
    return np.array([one.value for one in clip_retrieval(first, second, np.asarray(labels))])


def test_three_clips_by_hand() -> None:
    """In degrees: the second clip's own half is farther than the first's, not than the third's."""

    def at(*degrees: float) -> np.ndarray:
        return np.stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], axis=1)

    found = values(at(0, 40, 120), at(10, 80, 130), ["a", "a", "a"])
    np.testing.assert_allclose(found, [1.0, 0.5, 1.0])


def test_halves_that_are_alike_find_each_other_at_any_scale() -> None:
    first = np.random.default_rng(0).normal(size=(30, 8))
    labels = ["a"] * 20 + ["b"] * 10
    np.testing.assert_array_equal(values(first, 7 * first, labels), 1.0)
    np.testing.assert_array_equal(values(first, -first, labels), 0.0)


def test_halves_of_nothing_in_common_are_at_chance() -> None:
    """The mean of n values, each uniform on [0, 1], has a standard error of sqrt(1 / 12 n)."""
    rng = np.random.default_rng(0)
    found = values(rng.normal(size=(600, 40)), rng.normal(size=(600, 40)), ["a"] * 600)
    assert found.mean() == pytest.approx(0.5, abs=4 / math.sqrt(12 * 600))


def test_the_speaker_alone_gives_no_more_than_chance() -> None:
    """Halves share their speaker's place and nothing else: equal clips of one speaker tie."""
    places = np.random.default_rng(0).normal(size=(4, 6))
    speakers = np.repeat(range(4), 10)
    np.testing.assert_array_equal(values(places[speakers], places[speakers], speakers), 0.5)


def test_it_is_the_area_under_the_roc_of_each_query() -> None:
    rng = np.random.default_rng(1)
    first = rng.normal(size=(12, 5))
    second = first + 2 * rng.normal(size=(12, 5))
    cosines = (first / np.linalg.norm(first, axis=1, keepdims=True)) @ (
        second / np.linalg.norm(second, axis=1, keepdims=True)
    ).T
    expected = [roc_auc_score(np.arange(12) == clip, cosines[clip]) for clip in range(12)]
    np.testing.assert_allclose(values(first, second, ["a"] * 12), expected)


def test_a_clip_alone_with_its_speaker_says_so() -> None:
    points = np.eye(3)
    alone = clip_retrieval(points, points, np.array(["a", "a", "b"]))[2]
    assert math.isnan(alone.value)
    assert alone.reason == "the only clip of its speaker"
