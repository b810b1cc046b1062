import pytest
import torch
from torch import nn
from torch.nn import functional

from dcvae.models.discriminators import MultiBandDiscriminator, PatchDiscriminator

MEL = torch.randn(2, 80, 64, generator=torch.Generator().manual_seed(0))


def test_grouped_bands_equal_ten_small_stacks():
    """The plain way: a loop over ten bands, each with its own convolutions."""
    torch.manual_seed(0)
    critic, mel = MultiBandDiscriminator(channels=3, layers=5).double(), MEL.double()
    output = critic(mel)
    outputs, features = [], []
    for band in range(10):
        hidden = mel[:, None, 8 * band : 8 * band + 8]
        for number, layer in enumerate(critic.layers):
            rows = slice(3 * band, 3 * band + 3)
            hidden = functional.conv2d(hidden, layer.weight[rows], layer.bias[rows], padding=1)
            hidden = functional.leaky_relu(hidden, 0.1)
            if number > 0:
                features.append((number, band, hidden))
        outputs.append(hidden)
    logits = critic.output(torch.cat(outputs, dim=2))
    torch.testing.assert_close(output.logits, logits)
    expected = [hidden for _, _, hidden in sorted(features, key=lambda f: f[:2])] + [logits]
    maps = [one for stack in output.features for one in stack]
    assert len(maps) == 4 * 10 + 1
    for ours, theirs in zip(maps, expected, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_published_critics_have_the_published_layers():
    bands, patch = MultiBandDiscriminator(), PatchDiscriminator()
    assert [layer.weight.shape for layer in patch.layers] == [
        (32, 1, 4, 4), (64, 32, 4, 4), (128, 64, 4, 4), (256, 128, 4, 4), (512, 256, 4, 4)
    ]  # fmt: skip
    assert patch.output.weight.shape == (1, 512, 4, 4)
    assert [layer.weight.shape for layer in bands.layers] == [(320, 1, 3, 3)] + [
        (320, 32, 3, 3)
    ] * 4
    assert bands.output.weight.shape == (1, 32, 3, 3)
    convolutions = [m for m in [*bands.modules(), *patch.modules()] if isinstance(m, nn.Conv2d)]
    assert all(nn.utils.parametrize.is_parametrized(m, "weight") for m in convolutions)


def test_patch_features_halve_and_skip_the_first_layer():
    output = PatchDiscriminator(channels=4)(MEL)
    assert [tuple(f.shape[2:]) for f in output.features] == [
        (8, 20, 16), (16, 10, 8), (32, 5, 4), (64, 2, 2), (1, 1, 1)
    ]  # fmt: skip


def test_bands_must_divide_the_mel():
    with pytest.raises(ValueError, match="bands must divide 80"):
        MultiBandDiscriminator(bands=7)


def test_too_few_frames_for_the_patches_are_told():
    critic = PatchDiscriminator(channels=2)
    assert critic(torch.randn(1, 80, 64)).logits.shape == (1, 1, 1, 1)
    with pytest.raises(ValueError, match="64 mel bins and frames or more, not 80 x 63"):
        critic(torch.randn(1, 80, 63))
