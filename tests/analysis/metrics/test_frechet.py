"""The Frechet distance against closed forms and scipy's matrix square root."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from analysis.metrics.frechet import frechet_by_clip, frechet_distance
from analysis.metrics.score import Unmeasurable


def exact_sample(rng: np.random.Generator, mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """40 rows whose mean and unbiased covariance are these to rounding."""
    rows = rng.normal(size=(40, len(mean)))
    rows -= rows.mean(axis=0)
    whitened = rows @ np.linalg.inv(np.linalg.cholesky(np.cov(rows, rowvar=False))).T
    return whitened @ np.linalg.cholesky(covariance).T + mean


def test_two_gaussians_on_the_axes_have_the_closed_form() -> None:
    rng = np.random.default_rng(0)
    first = exact_sample(rng, np.array([1.0, 2.0, 3.0]), np.diag([1.0, 4.0, 9.0]))
    second = exact_sample(rng, np.array([1.0, 0.0, 7.0]), np.diag([4.0, 4.0, 1.0]))
    # means 0 + 4 + 16; standard deviations (1 - 2)^2 + 0 + (3 - 1)^2
    assert frechet_distance(first, second) == pytest.approx(25)


def test_it_agrees_with_scipys_matrix_root_for_covariances_that_do_not_commute() -> None:
    rng = np.random.default_rng(1)
    first = rng.normal(size=(60, 5)) @ rng.normal(size=(5, 5))
    second = rng.normal(size=(45, 5)) @ rng.normal(size=(5, 5)) + 1
    one, other = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    apart = np.square(first.mean(axis=0) - second.mean(axis=0)).sum()
    expected = apart + np.trace(one + other - 2 * sqrtm(one @ other).real)
    assert frechet_distance(first, second) == pytest.approx(expected)
    assert frechet_distance(second, first) == pytest.approx(expected)


def test_a_set_is_at_no_distance_from_itself_and_a_shift_adds_its_square() -> None:
    rows = np.random.default_rng(2).normal(size=(8, 20)).astype(np.float32)  # fewer rows than 20
    assert frechet_distance(rows, rows) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(rows, rows + np.float32(2)) == pytest.approx(20 * 4, rel=1e-5)
    assert frechet_distance(np.zeros((3, 4)), np.ones((3, 4))) == pytest.approx(4)


def test_it_grows_with_the_square_of_the_scale() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.normal(size=(30, 4)), rng.normal(size=(30, 4)) * 2 + 1
    assert frechet_distance(3 * first, 3 * second) == pytest.approx(
        9 * frechet_distance(first, second)
    )


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        (np.ones((1, 3)), np.ones((5, 3)), "fewer than two"),
        (np.ones((5, 3)), np.ones((0, 3)), "fewer than two"),
        (np.ones((5, 3)), np.full((5, 3), np.nan), "NaN or infinity"),
        (np.ones((5, 3)), np.full((5, 3), np.inf), "NaN or infinity"),
        (np.ones((5, 3)), np.ones((5, 4)), "shapes differ"),
    ],
)
def test_rows_that_no_gaussian_fits_say_why(
    first: np.ndarray, second: np.ndarray, reason: str
) -> None:
    with pytest.raises(Unmeasurable, match=reason):
        frechet_distance(first, second)


def clips_of(rng: np.random.Generator, count: int, scale: float, shift: float) -> list[np.ndarray]:
    """Clips of 5 to 9 independent frames of three dims."""
    return [scale * rng.normal(size=(5 + one % 5, 3)) + shift for one in range(count)]


def test_pseudo_values_are_those_of_leaving_one_clip_out() -> None:
    rng = np.random.default_rng(4)
    first, second = clips_of(rng, 12, 1.0, 50.0), clips_of(rng, 12, 2.0, 51.0)
    whole = frechet_distance(np.concatenate(first), np.concatenate(second))
    expected = [
        12 * whole
        - 11
        * frechet_distance(
            np.concatenate(first[:out] + first[out + 1 :]),
            np.concatenate(second[:out] + second[out + 1 :]),
        )
        for out in range(12)
    ]
    assert frechet_by_clip(first, second) == pytest.approx(expected, rel=1e-6)


def test_their_mean_has_less_bias_and_their_spread_is_the_distances_own() -> None:
    """Over 200 draws of two Gaussians whose distance is 3 (1.5 - 1)^2 = .75."""
    rng = np.random.default_rng(5)
    plain, means, errors = [], [], []
    for _ in range(200):
        first, second = clips_of(rng, 20, 1.0, 0.0), clips_of(rng, 20, 1.5, 0.0)
        plain.append(frechet_distance(np.concatenate(first), np.concatenate(second)))
        values = frechet_by_clip(first, second)
        means.append(np.mean(values))
        errors.append(np.std(values, ddof=1) / np.sqrt(20))
    error = np.std(means) / np.sqrt(200)
    assert abs(np.mean(means) - 0.75) < 4 * error < abs(np.mean(plain) - 0.75)
    assert np.mean(errors) == pytest.approx(np.std(means), rel=0.25)


def test_one_clip_has_no_pseudo_values() -> None:
    with pytest.raises(Unmeasurable, match="1 clips, fewer than two"):
        frechet_by_clip([np.ones((5, 3))], [np.ones((5, 3))])
