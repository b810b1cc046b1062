"""Codecs of the library transformers that have codebooks.

Their latents are the sum of the codes' embeddings, which is what the decoder is fed.
"""

import math
from typing import Any

import torch
from torch import Tensor

from analysis.systems.libraries.checkpoint_folder import CheckpointFolder
from analysis.systems.libraries.library_codec import LibraryCodec


class QuantisedCodec(LibraryCodec):
    """A codec with residual codebooks, of which the first so many are used.

    Each codes what those before it left over, so that the first codes are the same whatever
    follows.
    """

    def __init__(self, *arguments: Any, books: int, size: int, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.available, self.bits = books, math.log2(size)
        self.use(books)

    def use(self, codebooks: int) -> None:
        """How many codebooks; ValueError where it has no such number."""
        if not 1 <= codebooks <= self.available:
            raise ValueError(f"codebooks={codebooks}: it has 1 to {self.available}")
        self.codebooks = codebooks
        self.bits_per_second = codebooks * self.bits * self.latent_rate

    def to_latents(self, values: Tensor) -> Tensor:
        return self.embed(self.codes(values)[:, : self.codebooks])

    def codes(self, values: Tensor) -> Tensor:
        """Waves [1, channels, T] to the codes [1, K, L] of all codebooks."""
        found: Tensor = self.model.encode(values).audio_codes
        return found

    def embed(self, codes: Tensor) -> Tensor:
        """Codes [1, K, L] to latents [1, D, L]."""
        found: Tensor = self.model.quantizer.decode(codes.transpose(0, 1))
        return found


class Encodec(QuantisedCodec):
    """EnCodec (Defossez et al., 2022), of one piece or of chunks that overlap.

    A checkpoint that normalises each chunk (of 48 kHz) sends its level beside the codes: the log
    of it stands as one more latent channel.
    """

    fills = False

    def __init__(self, name: str, model: Any, folder: CheckpointFolder) -> None:
        config = model.config
        super().__init__(
            name, model, config.sampling_rate, config.hop_length, config.audio_channels,
            books=config.num_quantizers, size=config.codebook_size,
        )  # fmt: skip
        self.normalises, self.stride = config.normalize, config.chunk_stride
        self.chunk = -(-(config.chunk_length or 0) // self.hop)  # latent frames
        if self.chunk:
            self.latent_rate = self.chunk * config.sampling_rate / self.stride
            self.use(self.available)

    def to_latents(self, values: Tensor) -> Tensor:
        found = self.model.encode(values, bandwidth=self.model.config.target_bandwidths[-1])
        chunks = list(found.audio_codes[:, :, : self.codebooks])
        chunks[-1] = chunks[-1][..., : chunks[-1].shape[-1] - found.last_frame_pad_length]
        latents = [self.embed(codes) for codes in chunks]
        if self.normalises:
            levels = [level.view(1, 1, 1).log() for level in found.audio_scales]
            pairs = zip(latents, levels, strict=True)
            latents = [torch.cat([one, to.expand(-1, -1, one.shape[2])], 1) for one, to in pairs]
        return torch.cat(latents, -1)

    def to_wave(self, latents: Tensor) -> Tensor:
        waves = [self.chunk_wave(one) for one in latents.split(self.chunk or latents.shape[2], -1)]
        if not self.chunk:
            return waves[0]
        joined: Tensor = self.model._linear_overlap_add(waves, self.stride)
        return joined

    def chunk_wave(self, latents: Tensor) -> Tensor:
        """Of one chunk, at the mean of its level's channel."""
        if not self.normalises:
            return self.model.decoder(latents)
        return self.model.decoder(latents[:, :-1]) * latents[:, -1:].mean(-1, keepdim=True).exp()


class Dac(QuantisedCodec):
    """Descript's audio codec (Kumar et al., 2023)."""

    def __init__(self, name: str, model: Any, folder: CheckpointFolder) -> None:
        config = model.config
        super().__init__(
            name, model, config.sampling_rate, config.hop_length,
            books=config.n_codebooks, size=config.codebook_size,
        )  # fmt: skip

    def embed(self, codes: Tensor) -> Tensor:
        return self.model.quantizer.from_codes(codes)[0]

    def to_wave(self, latents: Tensor) -> Tensor:
        return self.model.decoder(latents)


class Mimi(QuantisedCodec):
    """Mimi (Defossez et al., 2024), whose first codebook is the semantic one."""

    fills = False

    def __init__(self, name: str, model: Any, folder: CheckpointFolder) -> None:
        config = model.config
        super().__init__(
            name, model, config.sampling_rate, config.frame_size, config.audio_channels,
            books=config.num_quantizers, size=config.codebook_size,
        )  # fmt: skip

    def embed(self, codes: Tensor) -> Tensor:
        return self.model.quantizer.decode(codes)

    def to_wave(self, latents: Tensor) -> Tensor:
        return self.model.decoder(latents).audio_values


class SemanticCodec(QuantisedCodec):
    """X-Codec (Ye et al., 2024) and Higgs Audio v2's tokenizer: DAC beside a semantic encoder."""

    def __init__(self, name: str, model: Any, folder: CheckpointFolder) -> None:
        config = model.config
        super().__init__(
            name, model, config.sample_rate, config.hop_length,
            books=config.num_quantizers, size=config.codebook_size,
        )  # fmt: skip

    def to_wave(self, latents: Tensor) -> Tensor:
        inner = self.model.fc2(latents.transpose(1, 2)).transpose(1, 2)
        return self.model.acoustic_decoder(inner)


class WavTokenizer(QuantisedCodec):
    """WavTokenizer (Ji et al., 2025), of a single codebook."""

    fills = False
    bandwidth = 0  # the decoder's condition, always this one when it is used

    def __init__(self, name: str, model: Any, folder: CheckpointFolder) -> None:
        config = model.config
        super().__init__(
            name, model, config.sampling_rate, model.hop_length, books=1, size=config.codebook_size
        )

    def embed(self, codes: Tensor) -> Tensor:
        return self.model.encoder_model.quantizer.decode(codes[:, 0])

    def to_wave(self, latents: Tensor) -> Tensor:
        condition = torch.tensor([self.bandwidth], device=latents.device)
        return self.model.head(self.model.backbone(latents, condition)).view(1, 1, -1)
