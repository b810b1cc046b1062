"""Probes on toy clusters, their folds and groups, and the silhouette against its definition."""

import math

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import silhouette_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_info, threadpool_limits

from analysis.metrics.probes import (
    UNSEEN,
    grouped_folds,
    held_out,
    linear_probe,
    most_frequent,
    recording_groups,
    silhouette,
    standardise,
)
from analysis.metrics.score import Score, Unmeasurable


def mean(scores: list[Score]) -> float:
    return float(np.mean([score.value for score in scores]))


def clusters(each: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points around three corners, their labels, and a group of its own for each."""
    rng = np.random.default_rng(0)
    labels = np.repeat(["ann", "ben", "cat"], each)
    points = 8 * np.eye(5)[np.repeat(range(3), each)] + rng.normal(size=(3 * each, 5))
    return points, labels, np.arange(3 * each).astype(str)


def test_the_probe_finds_separate_clusters_and_not_shuffled_labels() -> None:
    points, labels, groups = clusters()
    assert mean(linear_probe(points, labels, groups)) > 0.99
    shuffled = np.random.default_rng(1).permutation(labels)
    assert mean(linear_probe(points, shuffled, groups)) == pytest.approx(1 / 3, abs=0.12)


def test_the_probe_is_the_same_at_any_scale_and_on_any_call() -> None:
    points, labels, groups = clusters(20)
    points += np.random.default_rng(2).normal(size=points.shape) * 4
    hits = linear_probe(points, labels, groups)
    assert 0.4 < mean(hits) < 0.95
    assert linear_probe(points, labels, groups) == hits
    assert linear_probe(points * 1024.0, labels, groups) == hits


def test_the_hits_are_those_of_sklearns_own_cross_validation() -> None:
    points, labels, groups = clusters(20)
    points += np.random.default_rng(2).normal(size=points.shape) * 4
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    hits = [
        cross_val_predict(
            probe,
            points,
            labels,
            groups=groups,
            cv=StratifiedGroupKFold(5, shuffle=True, random_state=seed),
        )
        == labels
        for seed in range(10)
    ]
    found = [score.value for score in linear_probe(points, labels, groups)]
    np.testing.assert_allclose(found, np.mean(hits, axis=0))
    assert len(set(found)) > 2  # some points are hit in some of the ten alone


def test_the_probe_takes_one_thread_and_gives_the_others_back() -> None:
    def threads() -> list[int]:
        return [one["num_threads"] for one in threadpool_info()]

    class Witness(LogisticRegression):
        def fit(self, *arguments: object) -> "Witness":
            seen.extend(threads())
            return super().fit(*arguments)

    seen: list[int] = []
    with threadpool_limits(2):
        before = threads()
        held_out(*clusters(8), Witness(), repeats=1)
        assert set(seen) == {1}
        assert threads() == before


def test_folds_share_no_group_and_hold_every_point_out_once() -> None:
    rng = np.random.default_rng(0)
    labels = rng.choice(["a", "b", "c"], size=200)
    groups = rng.choice([f"set {i}" for i in range(30)], size=200)
    folds = grouped_folds(labels, groups)
    assert len(folds) == 5
    for train, test in folds:
        assert not set(groups[train]) & set(groups[test])
        assert set(labels[train]) == {"a", "b", "c"}
    np.testing.assert_array_equal(np.sort(np.concatenate([t for _, t in folds])), np.arange(200))


def test_there_are_no_more_folds_than_a_label_has_groups() -> None:
    labels = np.array(["a"] * 10 + ["b"] * 3)
    assert len(grouped_folds(labels, np.arange(13).astype(str))) == 3
    with pytest.raises(Unmeasurable, match="nothing to hold out"):
        grouped_folds(labels, np.array(["x"] * 10 + ["y", "y", "z"]))


def test_a_label_of_several_sets_is_grouped_by_set_and_another_by_clip() -> None:
    groups = recording_groups(
        ["ann", "ann", "ann", "ben", "ben"],
        ["studio", "studio", "home", "studio", "studio"],
        ["1", "2", "3", "4", "5"],
    )
    expected = ["set studio", "set studio", "set home", "clip 4", "clip 5"]
    assert groups.tolist() == expected


def test_a_probe_that_only_knows_the_room_fails_across_recording_sets() -> None:
    """Each speaker's rooms sound unlike each other: the room tells the speaker within a room."""
    rng = np.random.default_rng(0)
    rooms = rng.normal(size=(20, 12)) * 10
    room = np.repeat(range(20), 10)
    points = rooms[room] + rng.normal(size=(200, 12))
    labels = np.where(room % 2 == 0, "ann", "ben")
    names = [str(i) for i in range(200)]
    groups = recording_groups(labels.tolist(), [f"room {r}" for r in room], names)
    assert mean(linear_probe(points, labels, np.array(names))) > 0.9
    assert mean(linear_probe(points, labels, groups)) < 0.75


def test_a_label_that_is_in_no_training_fold_is_not_scored() -> None:
    """Four common speakers are best split into room z and the others; the rare one is in those."""
    common = [(name, room) for name in "abcd" for room in ["x"] * 5 + ["y"] * 5 + ["z"] * 10]
    pairs = np.array([*common, ("rare", "x"), ("rare", "y")])
    points = np.random.default_rng(0).normal(size=(82, 3))
    hits = linear_probe(points, labels=pairs[:, 0], groups=pairs[:, 1])
    assert all(hit.reason == UNSEEN and math.isnan(hit.value) for hit in hits[80:])
    assert {hit.value for hit in hits[:80]} == {0.0, 1.0}


def test_the_silhouette_has_its_definition() -> None:
    points, labels, _ = clusters(6)
    points += np.random.default_rng(3).normal(size=points.shape) * 2
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    distance = 1 - unit @ unit.T
    values = silhouette(points, labels)
    for point, label in enumerate(labels):
        to = {one: distance[point, labels == one] for one in set(labels)}
        own = to[label].sum() / (len(to[label]) - 1)
        other = min(far.mean() for one, far in to.items() if one != label)
        assert values[point] == pytest.approx((other - own) / max(own, other))
    assert values.mean() == pytest.approx(silhouette_score(points, labels, metric="cosine"))
    np.testing.assert_allclose(silhouette(points * 1e3, labels), values)


def test_standardised_points_are_the_same_at_any_scale_and_rounding_is_no_dimension() -> None:
    points = np.random.default_rng(0).normal(size=(50, 4)) * [1, 100, 1e-9, 0] + [3, -5, 7, 1]
    standard = standardise(points)
    np.testing.assert_allclose(standard.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(standard.std(axis=0), [1, 1, 0, 0])
    np.testing.assert_allclose(standardise(points * 0.01), standard)


def test_chance_is_the_share_of_the_most_frequent_label() -> None:
    assert most_frequent(np.array(["a", "b", "b", "c"])) == 0.5
    with pytest.raises(Unmeasurable):
        most_frequent(np.array([], dtype=str))
