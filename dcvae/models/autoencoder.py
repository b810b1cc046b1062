"""The speech autoencoder: log-mel in, deeply compressed continuous latents, log-mel out."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm as add_weight_norm

from dcvae.audio.mel import FRAMES_PER_SECOND, N_MELS, SILENCE
from dcvae.models.backbone import Backbone
from dcvae.models.bottleneck import Bottleneck, Latent, NoiseKind
from dcvae.models.model_card import model_card
from dcvae.models.pretrained import CheckpointError, load_checkpoint, save_checkpoint
from dcvae.utils.entries import NUMBER, is_one_of, shortened

STAGES = ("channels", "encoder_layers", "decoder_layers")  # a list each
SIZES = {  # and the most of each: what is larger takes days and memory to build
    "compression": 1 << 16,
    "latent_channels": 1 << 16,
    "channels": 1 << 16,
    "encoder_layers": 1 << 10,
    "decoder_layers": 1 << 10,
}


@dataclass
class Reconstruction:
    """What one forward pass gives."""

    mel: Tensor  # [B, M, F]
    latent: Latent


class SpeechAutoencoder(nn.Module):
    """Compress log-mel [B, M, F] in both axes by one factor with the DC-AE backbone.

    16x with 16 latent channels is the published size: 80 mel bins become 5 latent bins, so one
    latent frame has 80 floats and there are 5.4 of them a second. Mel bins and frames that do not
    divide by the factor are padded with silence, and the padding is cropped from the output.
    Source: DC-AE (arXiv 2410.10733).
    """

    def __init__(
        self,
        *,
        compression: int = 16,
        latent_channels: int = 16,
        channels: Sequence[int] = (128, 256, 512, 512, 1024, 1024),
        encoder_layers: Sequence[int] = (2, 2, 2, 3, 3, 3),
        decoder_layers: Sequence[int] = (3, 3, 3, 3, 3, 3),
        latent_shortcut: bool = True,
        weight_norm: bool = False,
        layernorm: bool = True,
        noise: NoiseKind = "uniform",
        noise_std: float = 0.5,
        mel_mean: float = 0.0,
        mel_std: float = 1.0,
    ) -> None:
        """Channels and layers are listed from the input inwards; the compression takes the first
        log2(compression) + 1 of them. `latent_shortcut` joins the latent to the deepest stage
        without parameters, and wants that stage's channels to divide by latent_channels.
        `mel_mean` and `mel_std` (natural-log units) normalise the mel inside the model.
        """
        super().__init__()
        self.config: dict[str, Any] = {
            "compression": compression,
            "latent_channels": latent_channels,
            "channels": list(channels),
            "encoder_layers": list(encoder_layers),
            "decoder_layers": list(decoder_layers),
            "latent_shortcut": latent_shortcut,
            "weight_norm": weight_norm,
            "layernorm": layernorm,
            "noise": noise,
            "noise_std": noise_std,
            "mel_mean": mel_mean,
            "mel_std": mel_std,
        }
        check_config(self.config)
        self.compression = compression
        self.latent_bins = ceil(N_MELS / compression)
        self.mel_mean, self.mel_std = mel_mean, mel_std
        self.bottleneck = Bottleneck(latent_channels, layernorm, noise, noise_std)
        self.backbone = build_backbone(self.config)

    def forward(self, mel: Tensor) -> Reconstruction:
        """Log-mel [B, M, F] -> its reconstruction, with noise on the latent in training."""
        latent = self.encode(mel)
        return Reconstruction(self.decode(latent.noisy, mel.shape[-1]), latent)

    def encode(self, mel: Tensor) -> Latent:
        """Log-mel [B, M, F] -> latents [B, C, H, L], L = ceil(F / compression)."""
        if mel.ndim != 3 or mel.shape[1] != N_MELS or mel.shape[2] == 0:
            raise ValueError(f"encode takes [B, {N_MELS}, F > 0] log-mel, not {list(mel.shape)}")
        padding = (0, -mel.shape[2] % self.compression, 0, -N_MELS % self.compression)
        padded = functional.pad(mel, padding, value=SILENCE)
        normal = (padded.unsqueeze(1) - self.mel_mean) / self.mel_std
        return self.bottleneck(self.backbone.encoder(normal.to(self.dtype)))

    def decode(self, latents: Tensor, frames: int | None = None) -> Tensor:
        """Latents [B, C, H, L] -> float32 log-mel [B, M, F], F = `frames` or L * compression."""
        kind = latents.device.type
        autocast = torch.is_autocast_enabled(kind)  # whose shortcuts would carry float32 along
        dtype = torch.get_autocast_dtype(kind) if autocast else self.dtype
        output = self.backbone.decoder(latents.to(dtype)).float().squeeze(1)
        return (output * self.mel_std + self.mel_mean)[:, :N_MELS, :frames]

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights: latents and mel are float32 all the same."""
        return next(self.backbone.parameters()).dtype

    @property
    def latent_frames_per_second(self) -> float:
        return FRAMES_PER_SECOND / self.compression

    @property
    def floats_per_second(self) -> float:
        """The latent's rate: floats a second of speech, the axis on which systems compare."""
        latent_channels: int = self.config["latent_channels"]
        return latent_channels * self.latent_bins * self.latent_frames_per_second

    @property
    def free_floats_per_second(self) -> float:
        """Of these the degrees of freedom: LayerNorm fixes mean and variance of each cell."""
        latent_channels: int = self.config["latent_channels"]
        fixed = 2 if self.config["layernorm"] else 0
        return (1 - fixed / latent_channels) * self.floats_per_second

    @property
    def parameters_count(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())

    def save_pretrained(self, folder: str | Path, card: str | None = None) -> None:
        """Write a checkpoint folder; without a model card of its own it gets one of the config."""
        save_checkpoint(folder, self.config, self.state_dict(), card or model_card(self))

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Self:
        """Load a checkpoint folder, in eval mode on the CPU; every weight must match."""
        config, weights = load_checkpoint(folder)
        try:
            with torch.device("meta"):  # neither memory nor time for weights that are replaced
                model = cls(**config)
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"{folder} has an unusable config.json: {error}") from error
        try:
            model.load_state_dict(weights, assign=True)
        except RuntimeError as error:
            first = str(error).splitlines()[:2][-1].strip()  # of many; the first says nothing
            raise CheckpointError(f"{folder} has other weights than its config: {first}") from error
        return model.eval()


def check_types(config: dict[str, Any]) -> None:
    """ValueError for what is no number, list or switch: a checkpoint's config can be anyone's."""
    for name, most in SIZES.items():
        value = config[name]
        if name in STAGES and not isinstance(value, list):
            raise ValueError(f"{name} must be a list, not {value!r}")
        for size in value if name in STAGES else [value]:
            if type(size) is not int or not 0 <= size <= most:
                raise ValueError(f"{name} must be whole numbers up to {most}, not {size!r}")
    for name in ("latent_shortcut", "weight_norm", "layernorm"):
        if not isinstance(config[name], bool):
            raise ValueError(f"{name} must be true or false, not {config[name]!r}")
    for name in ("mel_mean", "mel_std", "noise_std"):
        value = config[name]
        if not is_one_of(value, NUMBER):
            raise ValueError(f"{name} must be a finite number, not {shortened(value)}")


def check_config(config: dict[str, Any]) -> None:
    """Raise ValueError for sizes that the backbone cannot have, before it fails obscurely."""
    check_types(config)
    compression, latent_channels = config["compression"], config["latent_channels"]
    if compression < 2 or compression & (compression - 1):
        raise ValueError(f"compression must be a power of two from 2 on, not {compression}")
    stages = compression.bit_length()
    for name in STAGES:
        if len(config[name]) < stages:
            raise ValueError(f"compression {compression} takes {stages} stages: {name} has fewer")
    for name in ("encoder_layers", "decoder_layers"):
        for stage, layers in enumerate(config[name][:stages]):
            fewest = 1 if 0 < stage < stages - 1 else 0
            if layers < fewest:  # a middle stage resamples beside its layers
                raise ValueError(
                    f"{name}[{stage}] must be at least {fewest}, not {layers}: between the first"
                    " and the deepest, a stage without layers would not change the resolution"
                )
    if min(latent_channels, *config["channels"][:stages]) < 1:
        raise ValueError("channels and latent_channels must be 1 or more")
    for width, next_width in pairwise(config["channels"][:stages]):
        if 4 * width % next_width:
            raise ValueError(f"channels: 4 x {width} must divide by the next stage's {next_width}")
    if config["layernorm"] and latent_channels < 2:
        raise ValueError("layernorm takes 2 latent_channels or more: of one it leaves 0")
    if config["mel_std"] <= 0:
        raise ValueError(f"mel_std must be positive, not {config['mel_std']}")
    deepest = config["channels"][stages - 1]
    if config["latent_shortcut"] and deepest % latent_channels:
        raise ValueError(
            f"latent_channels {latent_channels} must divide the deepest stage's {deepest} channels,"
            " or latent_shortcut must be false"
        )


def build_backbone(config: dict[str, Any]) -> Backbone:
    """The backbone of these sizes, weight-normed where the config says so."""
    backbone = Backbone(config)
    if config["weight_norm"]:
        for module in list(backbone.modules()):
            if isinstance(module, nn.Conv2d):
                add_weight_norm(module)
    return backbone
