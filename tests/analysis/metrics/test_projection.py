"""The map of clips: it repeats, keeps clusters apart and says when there are too few points."""

import numpy as np
import pytest

from analysis.metrics.projection import tsne
from analysis.metrics.score import Unmeasurable


def test_the_map_keeps_clusters_apart_and_repeats_at_any_scale() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(range(3), 20)
    points = 30 * np.eye(60)[labels] + rng.normal(size=(60, 60))
    places = tsne(points)
    assert places.shape == (60, 2)
    np.testing.assert_array_equal(tsne(points), places)
    np.testing.assert_array_equal(tsne(points * 0.25), places)
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    np.testing.assert_array_equal(labels[distances.argmin(axis=1)], labels)


def test_a_handful_of_points_has_a_map_and_fewer_say_why() -> None:
    points = np.random.default_rng(0).normal(size=(5, 80))
    assert np.isfinite(tsne(points)).all()
    with pytest.raises(Unmeasurable, match="4 clips"):
        tsne(points[:4])


@pytest.mark.parametrize("value", [0.0, 3.25])
def test_points_that_are_all_alike_have_no_map(value: float) -> None:
    with pytest.raises(Unmeasurable, match="all clips are alike"):
        tsne(np.full((300, 8), value))


def test_points_of_one_dimension_have_a_map() -> None:
    points = np.random.default_rng(0).normal(size=(40, 1))
    places = tsne(points)
    assert places.shape == (40, 2)
    assert np.isfinite(places).all()


def test_points_of_which_most_are_alike_have_a_map() -> None:
    points = np.zeros((300, 4))
    points[:2] = [[1, 0, 2, 0], [0, 3, 0, 1]]
    assert np.isfinite(tsne(points)).all()
