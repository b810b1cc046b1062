"""What the model of latents is trained on: frames of a run's latents, as they are or scaled."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from analysis.batching import LONGEST, Sample, read_batches
from analysis.context import EvalContext
from analysis.metrics.score import Unmeasurable
from analysis.systems.system import LatentSystem
from dcvae.data.manifest import Clip, ManifestError, select_clips

SHORTEST = 1.0  # seconds of a clip that is trained on
FEWEST = 2  # latent frames of a clip: the first has no frame before it
DEAD = 1e-4  # of the largest standard deviation: a dim that moves less says nothing
POOL = 512  # clips among which those of like length share a batch


def to_frames(latents: Tensor) -> Tensor:
    """Latents [C, H, L] -> frames [L, C * H]."""
    return latents.flatten(0, 1).T.contiguous()


def whole_latents(samples: Sequence[Sample], latents: Tensor, system: LatentSystem) -> list[Tensor]:
    """Of latents [B, C, H, padded L] those of each clip that lie within it.

    One that padding fills up is no speech.
    """
    pairs = zip(samples, latents, strict=True)
    return [row[..., : system.whole_latent_frames(sample.frames)] for sample, row in pairs]


def fault(latents: Tensor) -> str:
    """Why a clip's latents [C, H, L] cannot be used; "" where they can."""
    if latents.shape[-1] < FEWEST:
        return f"shorter than {FEWEST} whole latent frames"
    if not bool(torch.isfinite(latents).all()):
        return "its latents hold NaN or infinity"
    return ""


def to_latents(frames: Tensor, bins: int) -> Tensor:
    """Frames [..., L, C * H] -> latents [..., C, H, L]."""
    return frames.transpose(-1, -2).unflatten(-2, (-1, bins))


@dataclass(frozen=True)
class Scaling:
    """What is subtracted from the frames of a space and what they are divided by, dim by dim.

    Dims that are not `live` are left out, and come back as their mean.
    """

    mean: Tensor  # [C * H]
    std: Tensor  # [C * H]
    live: Tensor  # [C * H], bool

    @classmethod
    def standardise(cls, sequences: Sequence[Tensor]) -> "Scaling":
        """To mean 0 and variance 1 over frames [L, C * H], so that no space's scale matters.

        Dead dims are left out. Unmeasurable where there are no frames or none of them varies.
        """
        count = sum(map(len, sequences))
        if not count:
            raise Unmeasurable("the training split has no clip that can be used")
        mean = torch.stack([one.double().sum(0) for one in sequences]).sum(0) / count
        squares = torch.stack([(one - mean).square().sum(0) for one in sequences])
        std = (squares.sum(0) / count).sqrt()
        live = std > DEAD * std.max()
        if not bool(live.any()):
            raise Unmeasurable("the latents of the training split do not vary")
        return cls(mean.float(), std.float(), live)

    @classmethod
    def none(cls, dims: int) -> "Scaling":
        """The frames [L, C * H] as the encoder gives them, whatever variance the model expects."""
        return cls(torch.zeros(dims), torch.ones(dims), torch.ones(dims, dtype=torch.bool))

    @property
    def dims(self) -> int:
        return int(self.live.sum())

    def apply(self, frames: Tensor) -> Tensor:
        """[..., C * H] -> [..., D]."""
        return ((frames - self.mean) / self.std)[..., self.live]

    def invert(self, scaled: Tensor) -> Tensor:
        """[..., D] -> [..., C * H]."""
        frames = self.mean.expand(*scaled.shape[:-1], -1).clone()
        frames[..., self.live] += scaled * self.std[self.live]
        return frames


def choose_clips(clips: Sequence[Clip], split: str, hours: float) -> list[Clip]:
    """The fixed part of a split with so much speech, every speaker in turn; none where none is."""
    try:
        ordered = select_clips(clips, split, len(clips), SHORTEST)
    except ManifestError:
        return []
    chosen, seconds = [], 0.0
    for clip in ordered:
        if seconds >= hours * 3600:
            break
        chosen.append(clip)
        seconds += min(clip.duration, LONGEST)
    return chosen


def encode_clips(clips: Sequence[Clip], context: EvalContext) -> list[Tensor]:
    """The frames [L, C * H] of every clip that can be read and has no fault; a few at a time."""
    sequences: list[Tensor] = []
    system = context.latent_system
    with tqdm(total=len(clips), desc="encoding", unit="clip", disable=None, leave=False) as bar:
        for samples in read_batches(clips, {}, context.resources.frames_at_once):
            latents = system.encode(samples, samples[0].padded_frames)
            found = whole_latents(samples, latents, system)
            sequences += [to_frames(latents) for latents in found if not fault(latents)]
            bar.update(len(samples))
    return sequences


def pad(sequences: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Frames [L, D] each -> zeros after the end [B, L, D], and which are real [B, L].

    The model is causal: what stands after the end changes nothing before it.
    """
    longest = max(map(len, sequences))
    padded = [functional.pad(one, (0, 0, 0, longest - len(one))) for one in sequences]
    lengths = torch.tensor([len(one) for one in sequences])
    return torch.stack(padded), torch.arange(longest) < lengths[:, None]


def draw_batches(
    lengths: Sequence[int], frames: int, generator: torch.Generator
) -> Iterator[list[int]]:
    """Positions in `lengths`, without end: every clip once in each round, like with like.

    A batch, padded to its longest clip, has at most so many frames; one clip at least.
    """
    while True:
        for pool in torch.randperm(len(lengths), generator=generator).split(POOL):
            ordered = sorted(pool.tolist(), key=lambda one: lengths[one])
            batches: list[list[int]] = [[]]
            for one in ordered:
                if batches[-1] and (len(batches[-1]) + 1) * lengths[one] > frames:
                    batches.append([])
                batches[-1].append(one)
            for number in torch.randperm(len(batches), generator=generator).tolist():
                yield batches[number]
