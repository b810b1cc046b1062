import copy

import pytest
import torch
from torch import nn

from dcvae import SpeechAutoencoder
from dcvae.models.backbone import DownBlock, RMSNorm, UpBlock
from dcvae.models.fused_ops.training import (
    FusedDownBlock,
    FusedRMSNorm,
    FusedUpBlock,
    fuse_for_training,
)

SMALL = {
    "channels": [8, 8, 8, 16, 16],
    "encoder_layers": [0, 1, 1, 1, 1],
    "decoder_layers": [0, 1, 1, 1, 1],
    "noise": "none",
}


def random_weights(module: nn.Module) -> None:
    generator = torch.Generator().manual_seed(3)
    for parameter in module.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)


def gradients(module: nn.Module, features: torch.Tensor) -> list[torch.Tensor]:
    """What comes out, and the gradients of all that goes in."""
    leaf = features.clone().requires_grad_()
    output = module(leaf)
    weight = torch.linspace(-1, 1, output.numel(), dtype=output.dtype).view(output.shape)
    (output * weight).sum().backward()
    return [output.detach(), leaf.grad, *(p.grad for p in module.parameters())]


@pytest.mark.parametrize(
    ("part", "shape"),
    [
        (RMSNorm(6), (2, 3, 4, 6)),
        (UpBlock(8, 4), (2, 8, 3, 5)),
        (UpBlock(8, 8), (2, 8, 3, 5)),
        (UpBlock(8, 2), (2, 8, 3, 5)),
        (UpBlock(4, 8), (2, 4, 3, 5)),
        (UpBlock(8, 1, shortcut=False), (2, 8, 3, 5)),
        (DownBlock(4, 16), (2, 4, 6, 10)),
        (DownBlock(4, 8), (2, 4, 6, 10)),
        (DownBlock(8, 8), (2, 8, 6, 10)),
        (DownBlock(8, 4), (2, 8, 6, 10)),
    ],
)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_a_part_and_its_gradients_are_those_of_the_plain_one(part, shape, memory_format):
    plain = copy.deepcopy(part).double().train()
    random_weights(plain)
    quick = copy.deepcopy(plain)
    fuse_for_training(nn.Sequential(quick))
    assert type(quick) in (FusedRMSNorm, FusedDownBlock, FusedUpBlock)
    features = torch.randn(shape, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    features = features.contiguous(memory_format=memory_format)
    if isinstance(part, RMSNorm):
        features[0, 0, 0] = 0  # nothing but the epsilon
    for ours, theirs in zip(gradients(quick, features), gradients(plain, features), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_in_eval_mode_it_is_bit_for_bit_the_plain_model():
    torch.manual_seed(0)
    plain = SpeechAutoencoder(**SMALL).eval()
    quick = copy.deepcopy(plain)
    fuse_for_training(quick.backbone)
    mel = torch.randn(1, 80, 32)
    assert torch.equal(quick(mel).mel, plain(mel).mel)
    assert list(quick.state_dict()) == list(plain.state_dict())


@pytest.mark.parametrize(("precision", "tolerance"), [("no", 1e-4), ("bf16", 1e-2)])
def test_fifty_steps_have_the_losses_of_the_plain_way(precision, tolerance):
    """Of one weight-normed autoencoder, its backbone fused and plain."""
    curves = []
    for is_fused in (False, True):
        torch.manual_seed(0)
        model = SpeechAutoencoder(**SMALL, weight_norm=True, mel_mean=-5.0, mel_std=2.2)
        if is_fused:
            fuse_for_training(model.backbone)
        optimizer = torch.optim.SGD(model.parameters(), lr=3e-3, momentum=0.9)
        mel = torch.randn(2, 80, 64, generator=torch.Generator().manual_seed(1)) * 2 - 5
        losses = []
        for _ in range(50):
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                output = model(mel)
            loss = (output.mel - mel).abs().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        curves.append(losses)
    assert curves[0][-1] < 0.9 * curves[0][0]
    assert curves[1] == pytest.approx(curves[0], rel=tolerance)
