"""The suite's own model as a system: mel in, latents, mel out, and a vocoder behind it."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from analysis.batching import Sample, crop, pad_mels, padded
from analysis.systems.system import LatentSystem, MelOutputs, Rates
from dcvae import SpeechAutoencoder
from dcvae.audio.mel import HOP, SAMPLE_RATE
from dcvae.vocoders import Vocoder

UNTRAINED_SEED = 0


class AutoencoderSystem(LatentSystem):
    """A SpeechAutoencoder in eval mode and a vocoder, both on `device`."""

    def __init__(
        self,
        model: SpeechAutoencoder,
        vocoder: Vocoder,
        device: torch.device,
        identity: Mapping[str, Any] | None = None,
    ) -> None:
        self.model, self.vocoder, self.device = model, vocoder, device
        self.identity = identity or {}
        self.compression: int = model.compression
        self.latent_shape = int(model.config["latent_channels"]), model.latent_bins
        channels, bins = self.latent_shape
        self.rates = Rates(SAMPLE_RATE, model.latent_frames_per_second, channels * bins)

    @torch.no_grad()
    def encode(self, samples: Sequence[Sample], frames: int) -> Tensor:
        """Of the samples' mels, whatever their waves are."""
        mels = pad_mels([sample.mel for sample in samples], frames)
        return self.model.encode(mels.to(self.device)).clean.float().cpu()

    def decode_later(self, latents: Callable[[], Tensor], frames: Sequence[int]) -> MelOutputs:
        return MelOutputs(partial(self.decode_mels, latents, frames), self.vocode)

    @torch.no_grad()
    def decode_mels(self, latents: Callable[[], Tensor], frames: Sequence[int]) -> list[Tensor]:
        """Latents [B, C, H, L] to a mel [M, F] each."""
        return crop(self.model.decode(latents().to(self.device)), frames)

    @torch.no_grad()
    def vocode(self, mels: Sequence[Tensor]) -> list[Tensor]:
        """Mels [M, F] of one padded length to a wave [F * HOP] each."""
        return vocode(mels, self.vocoder, self.device)

    def latent_frames(self, frames: int) -> int:
        return -(-frames // self.compression)

    def whole_latent_frames(self, frames: int) -> int:
        return frames // self.compression

    def normalise(self, latents: Tensor) -> Tensor:
        return self.model.bottleneck.normalise(latents)

    def untrained(self) -> "AutoencoderSystem":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(UNTRAINED_SEED)
            model = SpeechAutoencoder(**self.model.config)
        return AutoencoderSystem(model.eval().to(self.device), self.vocoder, self.device)

    @property
    def architecture(self) -> str:
        return json.dumps(self.model.config, sort_keys=True, default=str)


@torch.no_grad()
def vocode(mels: Sequence[Tensor], vocoder: Vocoder, device: torch.device) -> list[Tensor]:
    """Mels [M, F] of one padded length to a wave [F * HOP] each, on the CPU."""
    frames = [mel.shape[1] for mel in mels]
    batch = pad_mels(mels, padded(max(frames))).to(device)
    return crop(vocoder(batch), [count * HOP for count in frames])
