"""The facade that knows audio: waves to latents and back, on one device, in constant memory."""

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from dcvae.audio.mel import HOP, N_FFT, SAMPLE_RATE, LogMel
from dcvae.audio.streaming import cut, padded, resampled
from dcvae.inference.sliding_window import windowed
from dcvae.models.autoencoder import SpeechAutoencoder
from dcvae.models.backbone import fold_weight_norm, reach
from dcvae.models.fused_ops.inference import fuse_for_inference
from dcvae.models.pretrained import checkpoint_sha256
from dcvae.vocoders import Vocoder, load_vocoder

WINDOW = 1024  # frames at once on a CPU, 12 s: the full model's widest layer is then 42 MB
WINDOW_GPU = 8192  # where memory is plenty and every call has a price


class Codec:
    """A SpeechAutoencoder and a vocoder: `encode`, `decode` and `reconstruct` waves [B, T].

    Latents are [B, C * H, L], one vector a latent frame, as a language model takes them, or
    [B, C, H, L] with flat=False; `decode` takes both. Whatever the length, a window of it is
    computed at a time, with as much context as the model can see: the result is the whole's.
    """

    def __init__(
        self,
        model: SpeechAutoencoder,
        vocoder: Vocoder,
        *,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        folder: Path | None = None,
    ) -> None:
        """Take the model over for inference: in float32 to the bit as it was trained, in bfloat16
        by every short cut, for hardware that multiplies it.
        """
        self.device = torch.device(device)
        fold_weight_norm(model)
        self.model = model.eval().to(self.device)
        if dtype != torch.float32:
            fuse_for_inference(self.model.backbone)
            # in float32 this layout can be the slower one
            self.model.to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.vocoder = vocoder
        if isinstance(vocoder, nn.Module):
            vocoder.to(self.device)
        self.mel = LogMel().to(self.device)
        self.folder = folder
        self.window = WINDOW_GPU if self.device.type == "cuda" else WINDOW
        before, after = reach(model.config)
        self.encoder_context, self.decoder_context = before * model.compression, after

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path,
        vocoder: str | Vocoder = "griffin_lim",
        *,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> Self:
        """Load a checkpoint folder, and a vocoder by name where it is not given loaded."""
        model = SpeechAutoencoder.from_pretrained(folder)
        loaded = load_vocoder(vocoder) if isinstance(vocoder, str) else vocoder
        return cls(model, loaded, device=device, dtype=dtype, folder=Path(folder))

    @cached_property
    def model_id(self) -> str:
        """16 hexadecimal digits of the checkpoint's hash; "unsaved" for a model without folder."""
        return checkpoint_sha256(self.folder)[:16] if self.folder else "unsaved"

    @property
    def stride(self) -> int:
        """Samples at 22,050 Hz a latent frame."""
        return HOP * self.model.compression

    def encode(self, wave: Tensor, sample_rate: int, *, flat: bool = True) -> Tensor:
        """Waves [B, T] at `sample_rate` Hz to latents [B, C * H, L], or [B, C, H, L].

        The end is filled with silence up to a whole latent frame: L = ceil(T' / (16 * 256)) at
        compression 16, T' the samples at 22,050 Hz.
        """
        check_wave(wave, sample_rate)
        latents = torch.cat(list(self.encode_blocks([wave], sample_rate)), -1)
        if not bool(latents.isfinite().all()):
            raise ValueError("the latents of this wave are not finite numbers")
        return latents.flatten(1, 2) if flat else latents

    def decode(
        self, latents: Tensor, samples: int | None = None, sample_rate: int = SAMPLE_RATE
    ) -> Tensor:
        """Latents to waves [B, samples] at `sample_rate` Hz; all that they give by default."""
        latents = self.unflatten(latents)
        longest = round(latents.shape[-1] * self.stride * sample_rate / SAMPLE_RATE)
        wanted = longest if samples is None else samples
        if not 0 < wanted <= longest + 1:
            raise ValueError(
                f"{latents.shape[-1]} latent frames decode to {longest} samples at {sample_rate}"
                f" Hz, not to {samples}"
            )
        waves = resampled(self.decode_blocks([latents]), SAMPLE_RATE, sample_rate)
        return torch.cat(list(cut(waves, lambda: wanted)), -1)

    def reconstruct(self, wave: Tensor, sample_rate: int) -> Tensor:
        """Waves [B, T] through the latents and back: as many samples at the same rate."""
        latents = self.encode(wave, sample_rate, flat=False)
        return self.decode(latents, wave.shape[-1], sample_rate)

    def unflatten(self, latents: Tensor) -> Tensor:
        """Latents [B, C * H, L] or [B, C, H, L] to the latter."""
        channels, bins = self.model.config["latent_channels"], self.model.latent_bins
        if latents.ndim == 3 and latents.shape[1] == channels * bins:
            latents = latents.unflatten(1, (channels, bins))
        if latents.ndim != 4 or latents.shape[1:3] != (channels, bins) or not latents.numel():
            raise ValueError(
                f"latents of this model are [B, {channels * bins}, L > 0] or [B, {channels},"
                f" {bins}, L > 0], not {list(latents.shape)}"
            )
        return latents

    def encode_mel(self, mel: Tensor) -> Tensor:
        """Log-mel [B, M, F] to latents [B, C, H, L]; flat or not, they decode to the same bits."""
        return self.model.encode(mel).clean.contiguous()

    def in_parts(self, function: Callable[[Tensor], Tensor], batch: Tensor) -> Tensor:
        """function(batch [B, ...]); on a CPU clip by clip, for more leaves its caches."""
        if self.device.type != "cpu":
            return function(batch)
        return torch.cat([function(clip) for clip in batch.split(1)])

    @torch.inference_mode()
    def encode_blocks(self, blocks: Iterable[Tensor], sample_rate: int) -> Iterator[Tensor]:
        """Waves [B, T] that come in blocks to latents [B, C, H, L] in blocks."""
        waves = padded(resampled(blocks, sample_rate, SAMPLE_RATE), self.stride)
        mels = windowed(
            lambda wave: self.mel(wave.to(self.device)),
            waves,
            size=self.window * HOP,
            context=N_FFT // 2 // HOP * HOP,
            down=HOP,
        )
        yield from windowed(
            lambda mel: self.in_parts(self.encode_mel, mel),
            mels,
            size=self.window,
            context=self.encoder_context,
            down=self.model.compression,
        )

    @torch.inference_mode()
    def decode_blocks(self, blocks: Iterable[Tensor]) -> Iterator[Tensor]:
        """Latents [B, C, H, L] that come in blocks to waves [B, T] at 22,050 Hz in blocks."""
        mels = windowed(
            lambda latents: self.in_parts(self.model.decode, latents.to(self.device)),
            blocks,
            size=self.window // self.model.compression,
            context=self.decoder_context,
            up=self.model.compression,
        )
        yield from windowed(
            self.vocoder, mels, size=self.window, context=self.vocoder.context, up=HOP
        )


def check_wave(wave: Tensor, sample_rate: int) -> None:
    """ValueError for what is no wave [B, T] of finite samples."""
    if wave.ndim != 2 or wave.numel() == 0:
        raise ValueError(f"a wave has shape [B, T > 0], not {list(wave.shape)}")
    if sample_rate <= 0:
        raise ValueError(f"a sample rate is a positive number of Hz, not {sample_rate}")
    if not bool(torch.isfinite(wave).all()):
        raise ValueError("the wave holds samples that are not finite numbers")
