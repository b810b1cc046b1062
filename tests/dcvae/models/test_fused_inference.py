"""Fused parts against the plain ones, at every shape that a size can have."""

import pytest
import torch
from torch import nn

from dcvae import SpeechAutoencoder
from dcvae.models.backbone import DownBlock, UpBlock
from dcvae.models.fused_ops.inference import (
    ChannelNorm,
    PhaseUpBlock,
    fuse_for_inference,
    fused_down_block,
)

SIZES = [
    {"channels": [8, 8, 16, 16, 32], "encoder_layers": [0, 1, 1, 1, 1]},
    {"channels": [8, 16, 16, 32, 32], "encoder_layers": [1, 1, 1, 1, 1]},
    {"compression": 8, "channels": [8, 8, 8, 16], "encoder_layers": [1, 1, 1, 2]},
]


@pytest.fixture(autouse=True)
def exactly():
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    with torch.no_grad():
        yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("shortcut", [True, False])
@pytest.mark.parametrize("channels", [(4, 4), (4, 8), (4, 16), (8, 4), (8, 2)])
def test_down_block(channels, shortcut):
    block = DownBlock(*channels, shortcut=shortcut)
    features = torch.randn(2, channels[0], 6, 10)
    expected = block(features)
    torch.testing.assert_close(fused_down_block(block)(features), expected)


@pytest.mark.parametrize("shortcut", [True, False])
@pytest.mark.parametrize("channels", [(4, 4), (8, 4), (16, 4), (4, 8), (8, 1)])
def test_up_block(channels, shortcut):
    if shortcut and channels[1] * 4 % channels[0]:
        pytest.skip("the shortcut cannot have these")
    block = UpBlock(*channels, shortcut=shortcut)
    features = torch.randn(2, channels[0], 3, 5)
    torch.testing.assert_close(PhaseUpBlock(block)(features), block(features))


def test_channel_norm_is_torch_s_rms_norm():
    features = (torch.randn(2, 3, 5, 24) * torch.logspace(-3, 3, 5)[:, None]).float()
    norm = nn.RMSNorm(24, eps=1e-5, dtype=torch.float32)
    norm.bias = nn.Parameter(torch.randn(24, dtype=torch.float32))
    nn.init.uniform_(norm.weight, 0.5, 2.0)
    expected = norm(features) + norm.bias
    torch.testing.assert_close(ChannelNorm(norm)(features), expected, rtol=1e-5, atol=1e-5)
    half = ChannelNorm(norm.bfloat16())(features.bfloat16())
    assert half.dtype == torch.bfloat16
    # five roundings of half of bfloat16's 2^-8: input, scale, product, gain and sum
    assert (half - expected).norm() < 2.5 * 2**-8 * expected.norm()


@pytest.mark.parametrize("size", SIZES)
def test_a_whole_model(size):
    model = SpeechAutoencoder(**size, decoder_layers=size["encoder_layers"]).float().eval()
    for name, parameter in model.named_parameters():
        if "norm" in name:
            parameter.uniform_(0.5, 2.0)
    mel = torch.randn(2, 80, 64).float()
    before = model(mel)
    fuse_for_inference(model.backbone)
    after = model(mel)
    assert not any(isinstance(part, DownBlock | UpBlock) for part in model.modules())
    # 20 convolutions in a row of sums of up to 9 x 32 products, in float32: sqrt(20 x 288) eps is
    # 1e-5 of values around 1. Part by part the tests above are exact.
    torch.testing.assert_close(after.latent.clean, before.latent.clean, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(after.mel, before.mel, rtol=1e-4, atol=1e-4)
