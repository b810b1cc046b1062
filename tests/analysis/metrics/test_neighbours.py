"""Neighbour consistency and votes, against hand-worked cases and brute force."""

import math

import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from analysis.metrics.neighbours import neighbour_consistency, neighbour_vote
from analysis.metrics.score import Unmeasurable


def test_lnc_of_five_directions_by_hand() -> None:
    degrees = np.radians([0, 10, 25, 60, 75])
    points = np.stack([np.cos(degrees), np.sin(degrees)], axis=1)
    labels = np.array(["a", "a", "b", "b", "b"])
    # nearest two: 0 -> 10, 25; 10 -> 0, 25; 25 -> 10, 0; 60 -> 75, 25; 75 -> 60, 25
    expected = [0.5, 0.5, 0, 1, 1]
    np.testing.assert_allclose(neighbour_consistency(points, labels, nearest=2), expected)


def test_lnc_agrees_with_brute_force() -> None:
    rng = np.random.default_rng(0)
    points, labels = rng.normal(size=(40, 6)), rng.integers(0, 3, size=40)
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    for point, got in enumerate(neighbour_consistency(points, labels)):
        nearest = [i for i in np.argsort(-unit @ unit[point]) if i != point][:10]
        assert got == pytest.approx(np.mean([labels[i] == labels[point] for i in nearest]))


def test_separate_clusters_agree_with_their_neighbours_and_shuffled_ones_by_chance() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(["a", "b", "c", "d"], 50)
    points = 10 * np.eye(8)[np.repeat(range(4), 50)] + rng.normal(size=(200, 8))
    groups = np.arange(200).astype(str)
    shuffled = rng.permutation(labels)
    assert np.mean(neighbour_consistency(points, labels)) > 0.99
    assert np.mean(neighbour_consistency(points, shuffled)) == pytest.approx(0.25, abs=0.06)
    assert np.mean([hit.value for hit in neighbour_vote(points, labels, groups)]) > 0.99
    chance = np.mean([hit.value for hit in neighbour_vote(points, shuffled, groups)])
    assert chance == pytest.approx(0.25, abs=0.1)


def test_the_votes_are_those_of_sklearns_own_cross_validation() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, size=60)
    points, groups = rng.normal(size=(60, 5)) + labels[:, None], np.arange(60).astype(str)
    voters = make_pipeline(
        StandardScaler(), KNeighborsClassifier(5, weights="distance", metric="cosine")
    )
    hits = [
        cross_val_predict(
            voters,
            points,
            labels,
            groups=groups,
            cv=StratifiedGroupKFold(5, shuffle=True, random_state=seed),
        )
        == labels
        for seed in range(10)
    ]
    found = [hit.value for hit in neighbour_vote(points, labels, groups)]
    np.testing.assert_allclose(found, np.mean(hits, axis=0))


@pytest.mark.parametrize("factor", [1e-3, 1e4])
def test_neighbours_do_not_depend_on_the_scale(factor: float) -> None:
    rng = np.random.default_rng(0)
    points, labels = rng.normal(size=(60, 5)) + 0.5, rng.integers(0, 2, size=60)
    groups = np.arange(60).astype(str)
    np.testing.assert_array_equal(
        neighbour_consistency(points, labels), neighbour_consistency(points * factor, labels)
    )
    assert neighbour_vote(points, labels, groups) == neighbour_vote(points * factor, labels, groups)


def test_fewer_clips_than_neighbours_say_so() -> None:
    labels = np.array(["a", "b"] * 5)
    with pytest.raises(Unmeasurable, match="10 clips"):
        neighbour_consistency(np.eye(10), labels)
    hits = neighbour_vote(np.eye(5), np.array(list("aabba")), np.arange(5).astype(str))
    assert all(math.isnan(hit.value) and "are too few" in hit.reason for hit in hits)
