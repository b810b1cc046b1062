"""Every value here is worked by hand."""

import math
from functools import partial

import pytest
import torch
from torch.nn import functional

from dcvae.models.losses import (
    discriminator_loss,
    dispersive_loss,
    feature_matching_loss,
    generator_loss,
    kl_divergence,
    reconstruction_loss,
)

approx = partial(pytest.approx, rel=1e-5)  # some hundred times what a float32 operation rounds by


def test_reconstruction_is_the_mean_absolute_error():
    mel, target = torch.tensor([[[1.0, -2.0]]]), torch.tensor([[[0.0, 1.0]]])
    assert reconstruction_loss(mel, target).item() == approx(2.0)


def test_cosine_dispersion_of_three_vectors():
    """Angles 60, 90 and 150 degrees: cosines squared 1/4, 0 and 3/4; scale plays no part."""
    vectors = torch.tensor(
        [[2.0, 0.0], [0.5, math.sqrt(3) / 2], [-3 * math.cos(math.pi / 6), 3 * 0.5]]
    )
    cosines = [(0.5) ** 2, math.cos(math.radians(150)) ** 2, math.cos(math.radians(90)) ** 2]
    assert dispersive_loss(vectors, "cosine", 1.0).item() == approx(sum(cosines) / 3)


def test_cosine_dispersion_of_random_vectors_is_at_its_floor():
    vectors = torch.randn(400, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    assert dispersive_loss(vectors, "cosine", 1.0).item() == pytest.approx(1 / 100, rel=0.05)


def test_infonce_dispersion_of_two_vectors():
    """Distance^2 = 16 over 4 dims is 4; pairs (i, i) count: log of the mean of 1, 1, e, e."""
    vectors = torch.tensor([[0.0, 0.0, 0.0, 0.0], [2.0, 2.0, 2.0, 2.0]])
    expected = math.log((2 + 2 * math.exp(-4 / 0.5)) / 4)
    assert dispersive_loss(vectors, "infonce_l2", 0.5).item() == approx(expected)


def test_infonce_gradient_is_finite_for_equal_vectors():
    vectors = torch.ones(3, 4, requires_grad=True)
    dispersive_loss(vectors, "infonce_l2", 0.5).backward()
    assert torch.isfinite(vectors.grad).all()


def test_unknown_form_is_refused():
    with pytest.raises(ValueError, match="cosine, infonce_l2"):
        dispersive_loss(torch.ones(2, 2), "hinge", 1.0)


def test_kl_equals_torch_distributions():
    mean, log_variance = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    posterior = torch.distributions.Normal(mean, torch.exp(0.5 * log_variance))
    expected = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0))
    torch.testing.assert_close(kl_divergence(mean, log_variance), expected.mean())


def test_least_squares_terms_of_two_critics():
    real = [torch.tensor([1.0, 0.5]), torch.tensor([2.0])]
    fake = [torch.tensor([0.0, 1.0]), torch.tensor([0.5])]
    assert generator_loss(fake).item() == approx((1 + 0) / 2 + 0.25)
    expected = (0 + 0.25) / 2 + 1 + (0 + 1) / 2 + 0.25
    assert discriminator_loss(real, fake).item() == approx(expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_feature_matching_sums_the_means_of_the_maps(dtype):
    """Its own backward against autograd's of torch's l1_loss, map by map."""
    generator = torch.Generator().manual_seed(0)
    real, fake = torch.randn(2, 3, 2, 4, 5, 6, generator=generator).to(dtype)
    fake[0, 0, 0, 0] = real[0, 0, 0, 0]  # where the gradient is 0
    ours, theirs = fake.clone().requires_grad_(), fake.clone().requires_grad_()
    loss = feature_matching_loss([real, real[:1]], [ours, 3 * ours[:1]])
    expected = sum(
        functional.l1_loss(f.float(), r.float()) for r, f in zip(real, theirs, strict=True)
    )
    expected = expected + functional.l1_loss(3 * theirs[0].float(), real[0].float())
    loss.backward()
    expected.backward()
    # each difference rounds by half of bfloat16's 2^-8 at most, so their mean does; float32's terms
    # are 240 a map, added up in any order
    tolerance = 2**-9 if dtype == torch.bfloat16 else 1e-5
    torch.testing.assert_close(loss, expected, rtol=tolerance, atol=0)
    torch.testing.assert_close(ours.grad, theirs.grad)
    with pytest.raises(ValueError, match="shorter"):
        feature_matching_loss([real, real], [fake])
