"""Test clips as audio and mel, read a few at a time, in batches of one padded length."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from dcvae import LogMel
from dcvae.audio.io import AudioError, read_audio
from dcvae.audio.mel import HOP, SAMPLE_RATE, SILENCE
from dcvae.data.manifest import Clip
from dcvae.utils.errors import one_line

LONGEST = 10.0  # seconds; of a longer clip the start is scored, so memory stays small
BUCKET = 64  # frames; clips are padded to a multiple, so a batch never changes a clip's padding
FRAMES_AT_ONCE = 4096  # of one batch on a GPU
ALONE = 1  # on a CPU, which gains little from a batch, a clip's numbers depend on it alone
READ_AT_ONCE = 64  # clips held in memory


@dataclass(frozen=True)
class Sample:
    """One readable clip with its labels."""

    clip: Clip
    wave: Tensor  # [F * HOP], what reconstructions are compared with
    mel: Tensor  # [M, F]

    @property
    def name(self) -> str:
        return self.clip.name

    @property
    def frames(self) -> int:
        return self.mel.shape[1]

    @property
    def padded_frames(self) -> int:
        return padded(self.frames)

    @property
    def seconds(self) -> float:
        return len(self.wave) / SAMPLE_RATE


def padded(frames: int) -> int:
    """So many mel frames, up to a whole number of buckets."""
    return -(-frames // BUCKET) * BUCKET


def read_sample(clip: Clip, log_mel: LogMel) -> Sample:
    """The clip's first LONGEST seconds; AudioError or ValueError where it cannot be used."""
    wave = read_audio(clip.path, stop=LONGEST)
    mel = log_mel(wave[None])[0]
    return Sample(clip, wave[: mel.shape[1] * HOP], mel)


def read_batches(
    clips: Sequence[Clip], unreadable: dict[str, str], frames: int = ALONE
) -> Iterator[list[Sample]]:
    """Samples in batches of one padded length, shorter ones first, READ_AT_ONCE held at once.

    A clip that cannot be read goes into `unreadable`, with the reason, and into no batch.
    """
    log_mel = LogMel()
    ordered = sorted(clips, key=lambda clip: (min(clip.duration, LONGEST), clip.name))
    for start in range(0, len(ordered), READ_AT_ONCE):
        samples = []
        for clip in ordered[start : start + READ_AT_ONCE]:
            try:
                samples.append(read_sample(clip, log_mel))
            except (AudioError, ValueError, OSError) as error:
                unreadable[clip.name] = one_line(error)
        yield from group(samples, frames)


def group(samples: Sequence[Sample], frames: int) -> Iterator[list[Sample]]:
    """Samples of equal padded length together, shortest first, so many frames at most."""
    by_length: dict[int, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_length[sample.padded_frames].append(sample)
    for length, alike in sorted(by_length.items()):
        size = max(1, frames // length)
        yield from (alike[start : start + size] for start in range(0, len(alike), size))


def pad_mels(mels: Sequence[Tensor], frames: int) -> Tensor:
    """Mels [M, F] padded with silence to [B, M, frames]."""
    return torch.stack(
        [functional.pad(mel, (0, frames - mel.shape[1]), value=SILENCE) for mel in mels]
    )


def crop(batch: Tensor, lengths: Sequence[int]) -> list[Tensor]:
    """A batch [B, ..., padded] as one CPU tensor [..., length] a row."""
    pairs = zip(batch.cpu(), lengths, strict=True)
    return [row[..., :length].clone() for row, length in pairs]
