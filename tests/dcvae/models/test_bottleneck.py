import math

import pytest
import torch

from dcvae.models.bottleneck import Bottleneck

FEATURES = torch.randn(256, 16, 5, 8, generator=torch.Generator().manual_seed(0)) * 3 + 1


def noise_of(kind: str, std: float = 0.5, training: bool = True) -> torch.Tensor:
    torch.manual_seed(0)
    latent = Bottleneck(16, layernorm=True, noise=kind, noise_std=std).train(training)(FEATURES)
    return latent.noisy - latent.clean


def test_layernorm_is_over_the_channels_of_each_cell():
    clean = Bottleneck(16, layernorm=True, noise="none", noise_std=0.0)(FEATURES).clean
    mean = FEATURES.mean(1, keepdim=True)
    variance = ((FEATURES - mean) ** 2).mean(1, keepdim=True)
    torch.testing.assert_close(clean, (FEATURES - mean) / torch.sqrt(variance + 1e-5))


def test_without_layernorm_latents_pass_unchanged():
    clean = Bottleneck(16, layernorm=False, noise="none", noise_std=0.0)(FEATURES).clean
    torch.testing.assert_close(clean, FEATURES, rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["none", "fixed", "uniform", "normal", "kl"])
def test_no_noise_outside_training(kind):
    assert not noise_of(kind, training=False).any()


def test_plain_has_no_noise_in_training():
    assert not noise_of("none").any()


def test_fixed_noise_has_one_level_for_all():
    levels = noise_of("fixed").flatten(1).std(1)
    assert levels.sub(0.5).abs().max() < 0.5 * 5 / math.sqrt(2 * 640)


def test_uniform_level_is_uniform_over_samples():
    """U(0, s): mean s/2, standard deviation s/sqrt(12), and none above s."""
    levels = noise_of("uniform").flatten(1).std(1)
    assert levels.mean().item() == pytest.approx(0.25, abs=0.03)
    assert levels.std().item() == pytest.approx(0.5 / math.sqrt(12), abs=0.02)
    assert levels.max() < 0.55


def test_normal_level_is_half_normal_over_samples():
    """|N(0, s)|: mean s * sqrt(2/pi); it passes s in 32% of the samples."""
    levels = noise_of("normal").flatten(1).std(1)
    assert levels.mean().item() == pytest.approx(0.5 * math.sqrt(2 / math.pi), abs=0.06)
    assert (levels > 0.5).float().mean().item() == pytest.approx(0.317, abs=0.1)


def test_learned_noise_has_the_predicted_variance():
    torch.manual_seed(0)
    bottleneck = Bottleneck(16, layernorm=False, noise="kl", noise_std=0.0)
    torch.nn.init.zeros_(bottleneck.to_log_variance.weight)
    torch.nn.init.constant_(bottleneck.to_log_variance.bias, 2 * math.log(0.3))
    latent = bottleneck(FEATURES)
    assert (latent.noisy - latent.clean).std().item() == pytest.approx(0.3, rel=0.01)
    torch.testing.assert_close(latent.log_variance, torch.full_like(FEATURES, 2 * math.log(0.3)))


@pytest.mark.parametrize("noise", ["fixed", "uniform", "normal", "kl"])
def test_parts_of_a_batch_have_the_noise_of_the_whole(noise):
    torch.manual_seed(0)
    bottleneck = Bottleneck(16, layernorm=True, noise=noise, noise_std=0.5)
    torch.manual_seed(1)
    whole = bottleneck(FEATURES).noisy
    for part, features in enumerate(FEATURES.chunk(2)):
        bottleneck.share_noise(part, 2)
        torch.manual_seed(1)
        torch.testing.assert_close(bottleneck(features).noisy, whole.chunk(2)[part])


def test_refuses_unknown_noise_and_negative_level():
    with pytest.raises(ValueError, match="noise must be one of none, fixed"):
        Bottleneck(16, layernorm=True, noise="pink", noise_std=0.5)
    with pytest.raises(ValueError, match="negative"):
        Bottleneck(16, layernorm=True, noise="fixed", noise_std=-0.5)
