"""The DC-AE backbone: a convolutional autoencoder whose changes of resolution have shortcuts.

A shortcut moves pixels into channels, or back, without parameters, so that the convolution beside
it learns a residual. Source: DC-AE (arXiv 2410.10733), with ResBlocks alone. Modules and weights
have the names and the order of diffusers' AutoencoderDC (Apache-2.0): one seed makes the same
weights, and its weights of these sizes fit.
"""

from collections.abc import Sequence
from math import ceil
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrize import is_parametrized, remove_parametrizations

EPSILON = 1e-5


def conv3x3(inputs: int, outputs: int, stride: int = 1, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=bias)


class RMSNorm(nn.Module):
    """RMS norm over the last axis with gain and bias (Zhang and Sennrich, 2019)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.eps = EPSILON
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, features: Tensor) -> Tensor:
        """Features [..., C] to the same shape; squared in float32 or wider."""
        wide = features.to(torch.promote_types(features.dtype, torch.float32))
        unit = features * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)
        if self.weight.dtype in (torch.float16, torch.bfloat16):
            unit = unit.to(self.weight.dtype)
        return unit * self.weight + self.bias


def over_channels(norm: nn.Module, features: Tensor) -> Tensor:
    """A norm of the last axis, on features [B, C, H, W]."""
    normal: Tensor = norm(features.movedim(1, -1)).movedim(-1, 1)
    return normal


class ResBlock(nn.Module):
    """Two convolutions and a norm beside the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(channels, channels)
        self.conv2 = conv3x3(channels, channels, bias=False)
        self.norm = RMSNorm(channels)

    def forward(self, features: Tensor) -> Tensor:
        """Features [B, C, H, W] to the same shape."""
        hidden = self.conv2(functional.silu(self.conv1(features)))
        return over_channels(self.norm, hidden) + features


class DownBlock(nn.Module):
    """A convolution of stride 2; the shortcut averages groups of the channels of 2x2 cells."""

    def __init__(self, inputs: int, outputs: int, shortcut: bool = True) -> None:
        super().__init__()
        self.shortcut, self.group_size = shortcut, 4 * inputs // outputs
        self.conv = conv3x3(inputs, outputs, stride=2)

    def forward(self, features: Tensor) -> Tensor:
        """Features [B, I, 2 * H, 2 * W] to [B, O, H, W]."""
        hidden: Tensor = self.conv(features)
        if self.shortcut:
            hidden = hidden + average(functional.pixel_unshuffle(features, 2), self.group_size)
        return hidden


class UpBlock(nn.Module):
    """Nearest upsampling and a convolution; the shortcut shuffles repeated channels into pixels."""

    def __init__(self, inputs: int, outputs: int, shortcut: bool = True) -> None:
        super().__init__()
        self.shortcut, self.repeats = shortcut, 4 * outputs // inputs
        self.conv = conv3x3(inputs, outputs)

    def forward(self, features: Tensor) -> Tensor:
        """Features [B, I, H, W] to [B, O, 2 * H, 2 * W]."""
        hidden: Tensor = self.conv(functional.interpolate(features, scale_factor=2, mode="nearest"))
        if self.shortcut:
            hidden = hidden + functional.pixel_shuffle(repeat(features, self.repeats), 2)
        return hidden


def stages(channels: Sequence[int], layers: Sequence[int]) -> list[tuple[int, int, int]]:
    """Of each stage the width, the ResBlocks, and the next deeper one's width, 0 of the deepest."""
    return list(zip(channels, layers, [*channels[1:], 0], strict=True))


class Encoder(nn.Module):
    """A picture of one channel [B, 1, H, W] to latents [B, C, H / 2^(S - 1), W / 2^(S - 1)].

    S stages of so many channels and ResBlocks, from the input inwards. Where the first has no
    layers, the change of resolution behind it takes the place of the input's convolution.
    `shortcut` joins the averages of the deepest stage's channels to the latents.
    """

    def __init__(
        self, latent_channels: int, channels: Sequence[int], layers: Sequence[int], shortcut: bool
    ) -> None:
        super().__init__()
        self.shortcut, self.group_size = shortcut, channels[-1] // latent_channels
        self.conv_in: nn.Module = (
            conv3x3(1, channels[0]) if layers[0] else DownBlock(1, channels[1], shortcut=False)
        )
        self.down_blocks = nn.ModuleList(
            nn.Sequential(
                *(ResBlock(width) for _ in range(count)),
                *([DownBlock(width, deeper)] if count and deeper else []),
            )
            for width, count, deeper in stages(channels, layers)
        )
        self.conv_out = conv3x3(channels[-1], latent_channels)

    def forward(self, picture: Tensor) -> Tensor:
        features = self.conv_in(picture)
        for stage in self.down_blocks:
            features = stage(features)
        latents: Tensor = self.conv_out(features)
        return latents + average(features, self.group_size) if self.shortcut else latents


class Decoder(nn.Module):
    """Latents [B, C, H, W] to a picture of one channel [B, 1, 2^(S - 1) * H, 2^(S - 1) * W].

    The encoder's mirror image: `up_blocks` are from the output inwards too, and run backwards.
    """

    def __init__(
        self, latent_channels: int, channels: Sequence[int], layers: Sequence[int], shortcut: bool
    ) -> None:
        super().__init__()
        self.shortcut, self.repeats = shortcut, channels[-1] // latent_channels
        self.conv_in = conv3x3(latent_channels, channels[-1])
        made = [
            nn.Sequential(
                *([UpBlock(deeper, width)] if count and deeper else []),
                *(ResBlock(width) for _ in range(count)),
            )
            for width, count, deeper in reversed(stages(channels, layers))
        ]
        self.up_blocks = nn.ModuleList(reversed(made))
        last = channels[0] if layers[0] else channels[1]
        self.norm_out = RMSNorm(last)
        self.conv_out: nn.Module = (
            conv3x3(last, 1) if layers[0] else UpBlock(last, 1, shortcut=False)
        )

    def forward(self, latents: Tensor) -> Tensor:
        features: Tensor = self.conv_in(latents)
        if self.shortcut:
            features = features + repeat(latents, self.repeats)
        for stage in reversed(self.up_blocks):
            features = stage(features)
        picture: Tensor = self.conv_out(functional.relu(over_channels(self.norm_out, features)))
        return picture


class Backbone(nn.Module):
    """Encoder and decoder of the sizes of a SpeechAutoencoder's config."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        count, shortcut = config["compression"].bit_length(), config["latent_shortcut"]
        sizes = config["latent_channels"], config["channels"][:count]
        self.encoder = Encoder(*sizes, config["encoder_layers"][:count], shortcut)
        self.decoder = Decoder(*sizes, config["decoder_layers"][:count], shortcut)


def average(features: Tensor, group: int) -> Tensor:
    """The means [B, C / group, H, W] of so many channels [B, C, H, W] next to each other."""
    return features.unflatten(1, (-1, group)).mean(2)


def repeat(features: Tensor, repeats: int) -> Tensor:
    """Channels [B, C, H, W] so many times, next to themselves."""
    return features.repeat_interleave(repeats, dim=1, output_size=repeats * features.shape[1])


def reach(config: dict[str, Any]) -> tuple[int, int]:
    """How far, in latent frames, encoder and decoder look to either side of a latent frame.

    The sum over the layers of half a kernel times the stride so far: a ResBlock is two 3x3
    convolutions, every change of resolution one, at its finer side; no norm looks sideways.
    """
    compression: int = config["compression"]
    stages = compression.bit_length()

    def frames(layers: list[int]) -> int:
        blocks = sum(2 * count * 2**stage for stage, count in enumerate(layers[:stages]))
        resampling = sum(2**stage for stage in range(stages - 1))
        outer = 1 if layers[0] else 0  # else the first change of resolution takes its place
        return blocks + resampling + outer + compression  # and one at the latents

    encoder, decoder = (frames(config[f"{side}_layers"]) for side in ("encoder", "decoder"))
    return ceil(encoder / compression), ceil(decoder / compression)


def fold_weight_norm(module: nn.Module) -> None:
    """Put plain weights in the place of gains and directions: the same function, faster."""
    for part in module.modules():
        if is_parametrized(part, "weight"):
            remove_parametrizations(part, "weight")
