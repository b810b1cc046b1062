"""Discriminators of log-mel spectrograms [B, M, F]; each gives its logits and its feature maps."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from dcvae.audio.mel import N_MELS

SLOPE = 0.1  # of the leaky ReLU


@dataclass
class DiscriminatorOutput:
    logits: Tensor
    features: list[Tensor]  # of every layer but the first: stacks of equal maps [S, B, C, H, W]


class PatchDiscriminator(nn.Module):
    """PatchGAN (Isola et al., 2017): strided 4x4 convolutions, channels doubling each layer.

    With channels = 32 and layers = 5, the published critic.
    """

    def __init__(self, channels: int = 32, layers: int = 5) -> None:
        super().__init__()
        widths = [1, *(channels * 2**i for i in range(layers))]
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(width, wider, 4, stride=2, padding=1))
            for width, wider in pairwise(widths)
        )
        self.output = weight_norm(nn.Conv2d(widths[-1], 1, 4, padding=1))
        self.fewest = 2 ** (layers + 1)  # bins and frames that leave the output something to see

    def forward(self, mel: Tensor) -> DiscriminatorOutput:
        if min(mel.shape[1:]) < self.fewest:
            raise ValueError(
                f"the patch critic wants {self.fewest} mel bins and frames or more, not"
                f" {mel.shape[1]} x {mel.shape[2]}"
            )
        hidden = mel.unsqueeze(1)
        features = []
        for layer in self.layers:
            hidden = laid_out(functional.leaky_relu(layer(hidden), SLOPE))
            features.append(hidden)
        logits = self.output(hidden)
        return DiscriminatorOutput(logits, [one.unsqueeze(0) for one in (*features[1:], logits)])


class MultiBandDiscriminator(nn.Module):
    """Ten equal frequency bands, each with its own 3x3 convolutions, and one joint output.

    The bands are equally wide, so they stand side by side as the groups of one convolution:
    the same function as a stack of small convolutions a band, in a tenth of the calls.
    With channels = 32, layers = 5 and bands = 10, the published critic.
    """

    def __init__(self, channels: int = 32, layers: int = 5, bands: int = 10) -> None:
        super().__init__()
        if N_MELS % bands:
            raise ValueError(f"bands must divide {N_MELS} mel bins, and {bands} does not")
        self.bands = bands
        widths = [bands] + [bands * channels] * layers
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(width, wider, 3, padding=1, groups=bands))
            for width, wider in pairwise(widths)
        )
        self.output = weight_norm(nn.Conv2d(channels, 1, 3, padding=1))

    def forward(self, mel: Tensor) -> DiscriminatorOutput:
        batch, bins, frames = mel.shape
        hidden = laid_out(mel.view(batch, self.bands, bins // self.bands, frames))
        features = []
        for layer in self.layers:
            hidden = functional.leaky_relu(layer(hidden), SLOPE)
            features.append(hidden.unflatten(1, (self.bands, -1)).transpose(0, 1))
        # [bands, B, channels, bins, F] -> [B, M, F, channels]: the bands in their places again
        spectrum = features[-1].permute(1, 0, 3, 4, 2).flatten(1, 2)
        logits = self.output(spectrum.movedim(-1, 1))
        return DiscriminatorOutput(logits, [*features[1:], logits.unsqueeze(0)])


def laid_out(features: Tensor) -> Tensor:
    """Features [B, C, H, W] in the memory format that a processor convolves faster, groups too."""
    on_cpu = features.device.type == "cpu"
    return features.contiguous(
        memory_format=torch.channels_last if on_cpu else torch.contiguous_format
    )
