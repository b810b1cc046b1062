"""What stands between encoder and decoder: latent norm and posterior noise."""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

NoiseKind = Literal["none", "fixed", "uniform", "normal", "kl"]


@dataclass
class Latent:
    """The latents of one batch, each [B, C, H, L]."""

    clean: Tensor  # after the norm, before noise: what is stored and what a language model learns
    noisy: Tensor  # what the decoder sees in training
    log_variance: Tensor | None = None  # of the posterior, where the noise is learned


class Bottleneck(nn.Module):
    """Normalise the channels of each latent cell, then add noise in training.

    The standard deviation of the noise, by `noise`:

    - none: 0, a plain autoencoder.
    - fixed: noise_std for every sample.
    - uniform: sigma ~ U(0, noise_std) for each sample (DC-Speech-VAE).
    - normal: sigma ~ N(0, noise_std) for each sample (LatentLM's sigma-VAE, arXiv 2412.08635).
    - kl: exp(log_variance / 2), predicted for each cell and channel (Kingma and Welling, 2014).
    """

    def __init__(self, channels: int, layernorm: bool, noise: NoiseKind, noise_std: float) -> None:
        super().__init__()
        if noise not in get_args(NoiseKind):
            raise ValueError(f"noise must be one of {', '.join(get_args(NoiseKind))}, not {noise}")
        if noise_std < 0:
            raise ValueError(f"noise_std must not be negative, and is {noise_std}")
        self.noise = noise
        self.noise_std = noise_std
        self.part, self.parts = 0, 1
        self.norm = nn.LayerNorm(channels, elementwise_affine=False) if layernorm else nn.Identity()
        self.to_log_variance = nn.Conv2d(channels, channels, 1) if noise == "kl" else None

    def forward(self, features: Tensor) -> Latent:
        """Features [B, C, H, L] -> Latent; in float32, where the noise must not be rounded."""
        with torch.autocast(features.device.type, enabled=False):
            features = features.float()
            clean = self.normalise(features)
            log_variance = None
            if self.to_log_variance is not None:
                log_variance = self.to_log_variance(features).clamp(-30.0, 20.0)
            return Latent(clean, self.add_noise(clean, log_variance), log_variance)

    def normalise(self, features: Tensor) -> Tensor:
        """Features [B, C, H, L] through the latent norm, if there is one."""
        normalised: Tensor = self.norm(features.movedim(1, -1)).movedim(-1, 1)
        return normalised

    def share_noise(self, part: int, parts: int) -> None:
        """Take each batch for the `part`-th of `parts` equal ones that make the whole.

        Processes whose random states are alike then draw the noise of the whole batch each, and
        add their part of it: how many they are changes nothing.
        """
        self.part, self.parts = part, parts

    def add_noise(self, clean: Tensor, log_variance: Tensor | None) -> Tensor:
        if not self.training or self.noise == "none":
            return clean
        whole = torch.cat([clean.detach()] * self.parts) if self.parts > 1 else clean
        std: Tensor | float = self.noise_std
        if self.noise == "uniform":
            std = self.own(clean.new_empty(len(whole), 1, 1, 1).uniform_(0.0, self.noise_std))
        elif self.noise == "normal":
            std = self.own(clean.new_empty(len(whole), 1, 1, 1).normal_(0.0, self.noise_std))
        elif log_variance is not None:
            std = torch.exp(0.5 * log_variance)
        return clean + std * self.own(torch.randn_like(whole))

    def own(self, whole: Tensor) -> Tensor:
        """The rows of this part."""
        return whole.chunk(self.parts)[self.part]
