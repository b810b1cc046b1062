"""The published format without dcvae: diffusers' AutoencoderDC under torch's weight norm."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderDC
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from dcvae import LogMel, SpeechAutoencoder
from dcvae.audio.mel import FLOOR, HOP, N_FFT, mel_filters
from dcvae.utils.threads import torch_threads

FULL = json.loads("""{
  "_class_name": "AutoencoderDC", "_diffusers_version": "0.32.2", "attention_head_dim": 32,
  "decoder_act_fns": "silu", "decoder_block_out_channels": [128, 256, 512, 512, 1024],
  "decoder_block_types": ["ResBlock", "ResBlock", "ResBlock", "ResBlock", "ResBlock", "ResBlock"],
  "decoder_layers_per_block": [3, 3, 3, 3, 3], "decoder_norm_types": "rms_norm",
  "decoder_qkv_multiscales": [[], [], [], [], []], "downsample_block_type": "Conv",
  "encoder_block_out_channels": [128, 256, 512, 512, 1024],
  "encoder_block_types": ["ResBlock", "ResBlock", "ResBlock", "ResBlock", "ResBlock"],
  "encoder_layers_per_block": [2, 2, 2, 3, 3], "encoder_qkv_multiscales": [[], [], [], [], []],
  "in_channels": 1, "latent_channels": 16, "scaling_factor": null,
  "upsample_block_type": "interpolate"}""")
SMALL = FULL | {
    "encoder_block_out_channels": [8, 8, 16, 16, 32],
    "decoder_block_out_channels": [8, 8, 16, 16, 32],
    "encoder_layers_per_block": [1, 2, 1, 1, 1],
    "decoder_layers_per_block": [1, 1, 2, 1, 1],
}


@dataclass
class Published:
    """What the tests of import and export share."""

    full: dict[str, Any]  # the published JSON
    small: dict[str, Any]  # the same with few channels
    build: Callable[..., AutoencoderDC]
    reconstruct: Callable[[AutoencoderDC, Tensor], tuple[Tensor, Tensor]]
    write: Callable[..., Path]
    write_config: Callable[[Path, object], Path]


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Small models are no faster on two threads, and far slower where something else runs."""
    with torch_threads(1):
        yield


@pytest.fixture(scope="session")
def published() -> Published:
    return Published(FULL, SMALL, build, reconstruct, write, write_config)


def build(fields: dict[str, Any], seed: int = 0) -> AutoencoderDC:
    """Diffusers' model with weight norm, random weights and gains that are not their norms."""
    torch.manual_seed(seed)
    with torch.device("meta"):
        model = AutoencoderDC.from_config(fields)
    model.to_empty(device="cpu")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-1, 1)
        for module in list(model.modules()):
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                weight_norm(module)
                module.parametrizations.weight.original0.uniform_(0.5, 1.5)
    return model.eval()


@torch.inference_mode()
def reconstruct(model: AutoencoderDC, mel: Tensor) -> tuple[Tensor, Tensor]:
    """Pad with silence to whole latent frames, normalise channels, crop: latent and mel."""
    frames = mel.shape[-1]
    silence = torch.full((len(mel), 80, -frames % 16), math.log(1e-5))
    latent = model.encode(torch.cat([mel, silence], 2)[:, None]).latent
    mean, variance = latent.mean(1, keepdim=True), latent.var(1, correction=0, keepdim=True)
    latent = (latent - mean) / torch.sqrt(variance + 1e-5)
    return latent, model.decode(latent).sample[:, 0, :, :frames]


def write(path: Path, model: nn.Module, changes: dict[str, object] | None = None) -> Path:
    """A model's weights as the published .pt, some of them changed, or left out with None."""
    weights = {"model." + key: tensor for key, tensor in model.state_dict().items()}
    weights |= changes or {}
    torch.save({key: value for key, value in weights.items() if value is not None}, path)
    return path


def write_config(path: Path, fields: object) -> Path:
    path.write_text(json.dumps(fields))
    return path


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, AutoencoderDC]:
    """A small published checkpoint: its weights, its config, and the model in it."""
    model = build(SMALL)
    return write(tmp_path / "a.pt", model), write_config(tmp_path / "a.json", SMALL), model


@pytest.fixture(scope="session")
def long_mel(speech: Tensor) -> Tensor:
    """One log-mel [1, 80, 256] of real speech."""
    return LogMel()(speech).transpose(0, 1).reshape(1, 80, 256)


@pytest.fixture(scope="session")
def assert_same(published: Published) -> Callable[..., None]:
    """Latents and mel of our model and of diffusers' agree relative to their largest value."""

    def check(model: SpeechAutoencoder, expected: AutoencoderDC, mel: Tensor, tolerance: float):
        with torch.inference_mode():
            output = model(mel)
        ours = (output.latent.clean, output.mel)
        for got, wanted in zip(ours, published.reconstruct(expected, mel), strict=True):
            assert got.shape == wanted.shape
            assert (got - wanted).abs().max() < tolerance * wanted.abs().max()

    return check


def mel_rounding(wave: Tensor, log_mel: Tensor) -> Tensor:
    """How far float32 can take each value of log-mels [B, M, F] of waves [B, T] from the exact one.

    An FFT of N samples leaves each bin off by eps log2(N) times the norm of its windowed frame
    (Higham, Accuracy and Stability, 24.1); the window, 1 - cos, is off by eps even where it is
    next to nothing. A filter adds up what its bins are off, whatever they hold, and d log m =
    dm / m: beside loud bins the quiet ones, near the floor, keep few digits. A band's sum of n
    products rounds by n / 2 eps more, products, root and logarithm by a few.
    """
    eps, padding = torch.finfo(torch.float32).eps, (N_FFT - HOP) // 2
    padded = torch.nn.functional.pad(wave.double(), (padding, padding), mode="reflect")
    frames = padded.unfold(1, N_FFT, HOP)  # [B, F, N_FFT]
    windowed = (frames * torch.hann_window(N_FFT)).norm(dim=2)
    off = eps * (math.log2(N_FFT) * windowed + frames.norm(dim=2))[:, None]  # [B, 1, F]
    filters = mel_filters()
    relative = off * filters.sum(1)[:, None] / log_mel.double().exp().clamp(min=FLOOR)
    return relative + eps * (4 + (filters > 0).sum(1)[:, None] / 2 + log_mel.abs())


@pytest.fixture(scope="session")
def assert_same_mel() -> Callable[..., None]:
    """Each value is within its own rounding, once for each of the two that float32 computed."""

    def check(mel: Tensor, expected: Tensor, wave: Tensor, computations: int = 1) -> None:
        assert mel.shape == expected.shape
        rounding = mel_rounding(wave, expected)
        assert rounding.median() < 1e-4  # else the comparison would say little
        assert ((mel.double() - expected).abs() / rounding).max() < computations

    return check
