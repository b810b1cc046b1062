"""Noise for robustness: on latents, and on the input at a signal-to-noise ratio."""

from collections.abc import Sequence
from zlib import crc32

import torch
from torch import Tensor

from analysis.batching import LONGEST
from dcvae.audio.io import AudioError, read_audio
from dcvae.data.manifest import Clip, fixed_hash

TALKERS = 5  # other clips in a babble


def fixed_noise(name: str, shape: Sequence[int]) -> Tensor:
    """Standard normal noise that depends on the clip's name alone, whatever its batch or run."""
    generator = torch.Generator().manual_seed(crc32(name.encode()))
    return torch.randn(tuple(shape), generator=generator)


def add_at_ratio(speech: Tensor, noise: Tensor, decibels: float) -> Tensor:
    """Speech [T] with noise [T] scaled so that their mean powers differ by so many decibels.

    A sum beyond +-1 is scaled back into it, speech and noise alike: the ratio stays.
    """
    power = noise.double().square().mean().clamp(min=1e-20)
    scale = (speech.double().square().mean() / power / 10 ** (decibels / 10)).sqrt()
    mixture = speech + scale.float() * noise
    return mixture / mixture.abs().max().clamp(min=1.0)


def babble(clip: Clip, others: Sequence[Clip], samples: int) -> Tensor:
    """Voices [T] of TALKERS other clips, equally loud, each repeated to `samples`.

    Other speakers before the clip's own; which ones is fixed by the names. A clip that cannot be
    read or is silent is passed over; zeros where there is none to take.
    """
    candidates = sorted(
        (one for one in others if one.name != clip.name),
        key=lambda one: (
            bool(clip.speaker) and one.speaker == clip.speaker,
            fixed_hash(clip.name + one.name),
        ),
    )
    mixture, talkers = torch.zeros(samples), 0
    for other in candidates:
        if talkers == TALKERS:
            break
        try:
            wave = read_audio(other.path, stop=LONGEST)
        except (AudioError, OSError):
            continue
        level = wave.square().mean().sqrt()
        if level > 0:
            repeats = -(-samples // len(wave))
            mixture += (wave / level).repeat(repeats)[:samples]
            talkers += 1
    return mixture
