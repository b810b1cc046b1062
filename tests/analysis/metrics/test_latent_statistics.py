"""How latents fill their space: against hand-worked cases, scipy, torch and simulation."""

import numpy as np
import pytest
import torch
from scipy.fft import dct
from scipy.integrate import quad

from analysis.metrics.latent_statistics import (
    channel_variances,
    cosines,
    dead_channels,
    dispersive,
    dispersive_moving,
    effective_rank,
    eigenvalue_shares,
    spectral_energy,
    velocity_irreducible_variance,
    within_class_covariance,
)
from analysis.metrics.score import Unmeasurable
from dcvae.models.losses import dispersive_loss


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_equal_eigenvalues_have_their_number_as_rank() -> None:
    for count in (1, 3, 7):
        covariance = np.diag([2.0] * count + [0.0] * (8 - count))
        assert effective_rank(covariance) == pytest.approx(count)


def test_the_effective_rank_is_that_of_a_half_and_two_quarters_by_hand() -> None:
    covariance = np.diag([4.0, 2.0, 2.0])
    assert effective_rank(covariance) == pytest.approx(2**1.5)  # entropy: 1.5 bits
    np.testing.assert_allclose(eigenvalue_shares(covariance), [0.5, 0.25, 0.25])


def test_rank_and_shares_agree_with_torch_on_a_turned_covariance(rng) -> None:
    covariance = np.cov(rng.normal(size=(50, 6)) @ rng.normal(size=(6, 6)), rowvar=False)
    values = torch.linalg.svdvals(torch.from_numpy(covariance))
    shares = values / values.sum()
    np.testing.assert_allclose(eigenvalue_shares(covariance), shares.numpy())
    entropy = torch.distributions.Categorical(probs=shares).entropy()
    assert effective_rank(covariance) == pytest.approx(float(entropy.exp()))


def test_the_covariance_within_classes_is_the_mean_of_equal_classes_covariances(rng) -> None:
    parts = [rng.normal(size=(30, 4)) * scale + 5 * scale for scale in (1, 2, 3)]
    labels = np.repeat(["a", "b", "c"], 30)
    expected = np.mean([np.cov(part, rowvar=False, bias=True) for part in parts], axis=0)
    order = rng.permutation(90)
    got = within_class_covariance(np.concatenate(parts)[order], labels[order])
    np.testing.assert_allclose(got, expected)


def test_viv_of_four_points_by_hand() -> None:
    # Class means lie at -3 and 3 on the first axis, and every point 1 beside its class's mean on
    # the second: within classes the variances are 0 and 1, in total 9 and 1.
    frames = np.array([[-3.0, -1], [-3, 1], [3, -1], [3, 1]])
    labels = np.array(["a", "a", "b", "b"])
    expected = np.pi / 2 * np.sqrt(1 / 10) / np.sqrt(2)
    assert velocity_irreducible_variance(frames, labels) == pytest.approx(expected)


def test_viv_is_the_papers_integral_over_time(rng) -> None:
    frames = rng.normal(size=(200, 3)) @ rng.normal(size=(3, 3))
    frames /= np.sqrt(frames.var(axis=0).sum())
    values = np.linalg.eigvalsh(np.cov(frames, rowvar=False, bias=True))
    integrals = [quad(lambda t, v=v: v / ((1 - t) ** 2 + t**2 * v), 0, 1)[0] for v in values]
    viv = velocity_irreducible_variance(frames, np.array(["one"] * 200))
    assert viv == pytest.approx(sum(integrals) / np.sqrt(3))


def test_viv_is_what_the_best_velocity_model_leaves_over(rng) -> None:
    data = rng.normal(size=(40_000, 2)) * [1.0, 0.3]
    data /= np.sqrt(data.var(axis=0).sum())
    noise = rng.normal(size=data.shape)
    left_over = []
    for time in np.linspace(0.005, 0.995, 100):
        state, velocity = time * data + (1 - time) * noise, data - noise
        best = state @ np.linalg.lstsq(state, velocity, rcond=None)[0]  # linear for Gaussians
        left_over.append(np.square(velocity - best).sum(axis=1).mean())
    viv = velocity_irreducible_variance(data, np.array(["one"] * len(data)))
    assert viv * np.sqrt(2) == pytest.approx(np.mean(left_over), rel=0.02)


def test_viv_is_half_pi_for_isotropic_frames_of_one_mean_and_falls_with_tight_classes(rng) -> None:
    frames, labels = rng.normal(size=(20_000, 8)), np.repeat(["a", "b"], 10_000)
    assert velocity_irreducible_variance(frames, labels) == pytest.approx(np.pi / 2, abs=0.01)
    frames[:10_000] += 10
    assert velocity_irreducible_variance(frames, labels) < 0.5


def test_slow_and_fast_cosines_have_no_and_all_energy_in_the_upper_half() -> None:
    mean, std = np.zeros(1), np.ones(1)
    shares = [spectral_energy(row[None], mean, std) for row in cosines(8)]
    np.testing.assert_allclose(shares, [0, 0, 0, 0, 1, 1, 1, 1], atol=1e-12)
    shares = [spectral_energy(row[None], mean, std) for row in cosines(7)]
    np.testing.assert_allclose(shares, [0, 0, 0, 0, 1, 1, 1], atol=1e-12)


def test_sec_agrees_with_scipys_dct_on_standardised_latents(rng) -> None:
    sequence = rng.normal(size=(5, 13)) * [[1], [10], [0.1], [3], [1]] + 4
    mean, std = rng.normal(size=5), np.array([1, 10, 0.1, 3, 0.5])
    spectrum = dct((sequence - mean[:, None]) / std[:, None], norm="ortho", axis=1)
    energy = np.square(spectrum)
    expected = energy[:, 7:].sum() / energy.sum()
    assert spectral_energy(sequence, mean, std) == pytest.approx(expected)


def test_sec_is_a_half_for_white_noise_and_leaves_out_what_never_varies(rng) -> None:
    noise = rng.normal(size=(40, 500))
    mean, std = np.zeros(40), np.ones(40)
    assert spectral_energy(noise, mean, std) == pytest.approx(0.5, abs=0.02)
    padded = np.concatenate([noise, np.full((3, 500), 7.0)])
    still = spectral_energy(padded, np.append(mean, [7.0] * 3), np.append(std, [0.0] * 3))
    assert still == pytest.approx(spectral_energy(noise, mean, std))


def test_channel_variances_and_dead_channels_by_hand() -> None:
    variances = np.array([[1.0, 3.0], [4.0, 4.0], [0.02, 0.0], [6.0, 5.98]])
    # the channels' means are 2, 4, 0.01 and 5.99, whose mean is 3
    np.testing.assert_allclose(channel_variances(variances), [2 / 3, 4 / 3, 0.01 / 3, 5.99 / 3])
    assert dead_channels(variances) == 0.25
    assert dead_channels(np.ones((4, 5))) == 0


def test_dispersive_is_the_losss_cosine_form(rng) -> None:
    starts = rng.normal(size=(12, 30)) + 0.3
    loss = dispersive_loss(torch.from_numpy(starts), "cosine", temperature=1.0)
    assert dispersive(starts) == pytest.approx(float(loss), rel=1e-5)


def test_dispersive_is_one_for_one_direction_none_for_right_angles_and_1_over_d_at_random(
    rng,
) -> None:
    assert dispersive(np.array([[1.0, 2.0], [2.0, 4.0], [-1.0, -2.0]])) == pytest.approx(1)
    assert dispersive(np.eye(4)) == 0
    assert dispersive(rng.normal(size=(400, 50))) == pytest.approx(1 / 50, rel=0.03)


def test_the_moving_part_is_without_what_all_clips_share() -> None:
    starts = np.array([[1.0, 1.0], [1.0, -1.0]])  # at right angles, opposite about their mean
    assert dispersive(starts) == pytest.approx(0)
    assert dispersive_moving(starts) == pytest.approx(1)
    shared = np.array([[100.0, 1, 0], [100.0, -1, 0], [100.0, 0, 1], [100.0, 0, -1]])
    assert dispersive(shared) == pytest.approx(1, abs=1e-3)
    assert dispersive_moving(shared) == pytest.approx(1 / 3)  # of pairs


@pytest.mark.parametrize("factor", [1e-3, 7.0, 1e4])
def test_no_measure_of_spread_depends_on_the_scale(rng, factor: float) -> None:
    frames, labels = rng.normal(size=(60, 6)) + 1, np.repeat(["a", "b", "c"], 20)
    frames[:20] += 2

    def every_measure(x: np.ndarray) -> list[float]:
        covariance = np.cov(x, rowvar=False)
        return [
            effective_rank(covariance),
            *eigenvalue_shares(covariance),
            velocity_irreducible_variance(x, labels),
            spectral_energy(x[:20].T, x.mean(axis=0), x.std(axis=0)),
            *channel_variances(x.var(axis=0).reshape(3, 2)),
            dead_channels(x.var(axis=0).reshape(3, 2)),
            dispersive(x),
        ]

    np.testing.assert_allclose(every_measure(frames * factor), every_measure(frames))


@pytest.mark.parametrize(
    ("measure", "reason"),
    [
        (lambda: effective_rank(np.zeros((3, 3))), "do not vary"),
        (lambda: channel_variances(np.zeros((3, 2))), "do not vary"),
        (lambda: dispersive(np.ones((1, 4))), "fewer than two clips"),
        (lambda: dispersive(np.array([[1.0, 0.0], [0.0, 0.0]])), "all zero"),
        (lambda: spectral_energy(np.ones((2, 3)), np.zeros(2), np.ones(2)), "fewer than 4"),
        (lambda: spectral_energy(np.ones((2, 9)), np.ones(2), np.zeros(2)), "do not vary"),
        (lambda: velocity_irreducible_variance(np.ones((3, 3)), np.arange(3)), "too few for 3"),
        (lambda: velocity_irreducible_variance(np.ones((9, 3)), np.arange(9)), "do not vary"),
    ],
)
def test_what_cannot_be_measured_says_why(measure, reason: str) -> None:
    with pytest.raises(Unmeasurable, match=reason):
        measure()
