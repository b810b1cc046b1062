"""Test clips through a model: originals, reconstructions, noisy latents, an untrained twin."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zlib import crc32

import torch
from torch import Tensor
from torch.nn import functional

from dcvae import LogMel, SpeechAutoencoder
from dcvae.audio import AudioError, read_audio
from dcvae.manifest import Clip
from dcvae.mel import HOP, SILENCE
from dcvae.vocoders import Vocoder

LATENT_NOISE = (0.5, 1.0)  # times the standard deviation of the run's own latents
LONGEST = 10.0  # seconds; of a longer clip the start is scored, so memory stays small
BUCKET = 64  # frames; clips are padded to a multiple, so a batch never changes a clip's padding
FRAMES_AT_ONCE = 4096  # of one batch
UNTRAINED_SEED = 0


@dataclass(frozen=True)
class Sample:
    """One readable test clip."""

    name: str
    wave: Tensor  # [F * HOP], what reconstructions are compared with
    mel: Tensor  # [M, F]

    @property
    def frames(self) -> int:
        return self.mel.shape[1]


def read_samples(clips: Sequence[Clip]) -> Iterator[tuple[Clip, Sample | None]]:
    """Each clip with its audio and mel; None for one that cannot be read or is too short."""
    log_mel = LogMel()
    for clip in clips:
        try:
            wave = read_audio(clip.path, stop=LONGEST)
            mel = log_mel(wave[None])[0]
        except (AudioError, ValueError, OSError):
            yield clip, None
            continue
        yield clip, Sample(clip.name, wave[: mel.shape[1] * HOP], mel)


def batches(samples: Sequence[Sample]) -> Iterator[list[Sample]]:
    """Samples of equal padded length together, shortest first, FRAMES_AT_ONCE at most."""
    by_length: dict[int, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_length[padded_frames(sample)].append(sample)
    for length, group in sorted(by_length.items()):
        size = max(1, FRAMES_AT_ONCE // length)
        yield from (group[start : start + size] for start in range(0, len(group), size))


def padded_frames(sample: Sample) -> int:
    return -(-sample.frames // BUCKET) * BUCKET


def pad_mels(samples: Sequence[Sample], mels: Sequence[Tensor] | None = None) -> Tensor:
    """Mels [M, F] (the samples' own, or others of them) as one batch padded with silence."""
    mels = [sample.mel for sample in samples] if mels is None else mels
    length = padded_frames(samples[0])
    return torch.stack(
        [functional.pad(mel, (0, length - mel.shape[1]), value=SILENCE) for mel in mels]
    )


def crop(batch: Tensor, samples: Sequence[Sample], unit: int = 1) -> list[Tensor]:
    """A batch [B, ..., padded] as one CPU tensor a sample, `unit` values for each frame."""
    pairs = zip(batch.cpu(), samples, strict=True)
    return [row[..., : sample.frames * unit].clone() for row, sample in pairs]


@torch.no_grad()
def encode(model: SpeechAutoencoder, samples: list[Sample], device: torch.device) -> Tensor:
    """Clean latents [B, C, H, L] of one batch, on the CPU."""
    return model.encode(pad_mels(samples).to(device)).clean.cpu()


@torch.no_grad()
def decode(
    model: SpeechAutoencoder, latents: Tensor, samples: list[Sample], device: torch.device
) -> list[Tensor]:
    """Latents [B, C, H, L] of one batch to a mel [M, F] for each sample."""
    return crop(model.decode(latents.to(device), padded_frames(samples[0])), samples)


def vocode(
    vocoder: Vocoder, samples: list[Sample], mels: list[Tensor], device: torch.device
) -> list[Tensor]:
    """A mel [M, F] for each sample of one batch to a wave [F * HOP] each."""
    return crop(vocoder(pad_mels(samples, mels).to(device)), samples, HOP)


def latent_std(latents: Sequence[Tensor], groups: Sequence[list[Sample]], unit: int) -> float:
    """The standard deviation of all latents, without the padding; `unit` frames a latent frame."""
    parts = [
        row[..., : -(-sample.frames // unit)].flatten()
        for batch, group in zip(latents, groups, strict=True)
        for row, sample in zip(batch, group, strict=True)
    ]
    return float(torch.cat(parts).double().std())


def latent_noise(latents: Tensor, samples: Sequence[Sample]) -> Tensor:
    """Standard normal noise [B, C, H, L], fixed for each clip whatever its batch."""
    generators = [torch.Generator().manual_seed(crc32(sample.name.encode())) for sample in samples]
    return torch.stack([torch.randn(latents.shape[1:], generator=each) for each in generators])


def untrained_twin(model: SpeechAutoencoder) -> SpeechAutoencoder:
    """The same architecture with random weights of a fixed seed, in eval mode on the CPU."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(UNTRAINED_SEED)
        return SpeechAutoencoder(**model.config).eval()
