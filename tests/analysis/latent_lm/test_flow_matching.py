"""Flow matching against its closed forms: losses of Gaussians, and where the flow ends."""

import math

import pytest
import torch

from analysis.latent_lm.flow_matching import Gaussian, flow_error, integrate, linear_velocity

TIMES = 64


def loss(velocity, data) -> float:
    """The loss of a frame, summed over dims, over TIMES times in equal parts of 0 to 1."""
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(TIMES, *data.shape, generator=generator)
    times = ((torch.arange(TIMES) + 0.5) / TIMES).view(-1, 1, 1).expand(TIMES, len(data), 1)
    return float(flow_error(velocity, data, noise, times).mean())


def test_the_error_of_a_velocity_is_what_it_is_by_hand():
    data, noise = torch.tensor([[3.0, 1.0]]), torch.tensor([[-1.0, 1.0]])
    seen = {}

    def still(noisy, times):
        seen["noisy"] = noisy
        return torch.zeros_like(noisy)

    error = flow_error(still, data, noise, torch.tensor([[0.25]]))
    assert seen["noisy"].tolist() == [[0.0, 1.0]]  # a quarter of the way from noise to data
    assert error.tolist() == [16.0]  # (3 + 1)^2 + (1 - 1)^2


def test_mean_and_variance_alone_cost_half_a_pi_whatever_the_distribution():
    generator = torch.Generator().manual_seed(0)
    normal = torch.randn(4000, 2, generator=generator)
    coin = torch.randint(0, 2, (4000, 2), generator=generator) * 2.0 - 1
    for data in (normal, coin):
        standardised = (data - data.mean(0)) / data.std(0)
        assert loss(linear_velocity, standardised) == pytest.approx(math.pi, rel=0.02)


def test_a_gaussian_costs_half_a_pi_times_the_sum_of_the_roots_of_its_eigenvalues():
    variances = torch.tensor([4.0, 1.0, 0.25, 0.0])
    axes = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(2)))[0]
    data = torch.randn(6000, 4, generator=torch.Generator().manual_seed(3)) * variances.sqrt()
    gaussian = Gaussian([data @ axes.T])
    assert loss(gaussian.velocity, data @ axes.T) == pytest.approx(math.pi / 2 * 3.5, rel=0.02)
    assert loss(linear_velocity, data @ axes.T) > math.pi / 2 * 3.5 * 1.1


def test_where_a_gaussian_lies_costs_nothing():
    data = torch.randn(4000, 2, generator=torch.Generator().manual_seed(4))
    moved = data + torch.tensor([5.0, -40.0])
    at_origin, elsewhere = (loss(Gaussian([one]).velocity, one) for one in (data, moved))
    assert elsewhere == pytest.approx(at_origin, rel=1e-4)


@pytest.mark.parametrize("place", [0.0, 3.0])
def test_the_flow_of_a_gaussian_ends_in_that_gaussian(place):
    mixing = torch.tensor([[1.0, 0.0], [0.9, 0.3]])
    data = torch.randn(5000, 2, generator=torch.Generator().manual_seed(0)) @ mixing.T + place
    gaussian = Gaussian([data])
    noise = torch.randn(20_000, 2, generator=torch.Generator().manual_seed(1))
    for drawn in (integrate(gaussian.velocity, noise, 100), gaussian.sample(noise)):
        torch.testing.assert_close(drawn.mean(0), torch.full((2,), place), atol=0.03, rtol=0)
        torch.testing.assert_close(torch.cov(drawn.T), mixing @ mixing.T, atol=0.06, rtol=0)


def test_eulers_method_is_exact_where_the_velocity_is_constant():
    noise = torch.randn(3, 2)
    ended = integrate(lambda noisy, times: torch.full_like(noisy, 2.0), noise, 7)
    torch.testing.assert_close(ended, noise + 2)
