"""Is the space between latents speech too? Midpoints of nearest neighbours, decoded."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from analysis.context import Batch, EvalContext
from analysis.evaluator import Cell, Evaluator, Needs
from analysis.metrics.frechet import frechet_distance
from analysis.metrics.score import Array, Score, Unmeasurable, score
from analysis.outputs.table import Row
from dcvae.data.manifest import Clip

WINDOW = 64  # mel frames, three quarters of a second
WINDOWS = 4000  # at most, the first of the shortest clips on: neighbours are sought among all pairs
CONDITIONS = ("reconstruction", "interpolation")
AT_ONCE = 64  # windows decoded together

Window = tuple[str, Tensor, Tensor]  # clip, latents [C, H, l], mel [M, WINDOW]


def windows(batches: Iterator[Batch], length: int) -> list[Window]:
    """The whole windows of every clip, side by side, of so many latent frames each."""
    found: list[Window] = []
    for batch in batches:
        for sample, latents in zip(batch.samples, batch.clip_latents, strict=True):
            for number in range(sample.frames // WINDOW):
                mel = sample.mel[:, number * WINDOW : (number + 1) * WINDOW]
                part = latents[..., number * length : (number + 1) * length]
                found.append((sample.name, part, mel))
    return found[:WINDOWS]


def midpoints(latents: Tensor, clips: list[str]) -> Tensor:
    """Half way from each window's latents [N, C, H, l] to the nearest one of another clip's.

    Nearest by Euclidean distance, which any common scale leaves as it is.
    """
    flat = latents.flatten(1).double()
    names = np.unique(np.asarray(clips), return_inverse=True)[1]
    same = torch.from_numpy(names[:, None] == names)
    if bool(same.all()):
        raise Unmeasurable("windows of at least two clips are needed")
    nearest = torch.cdist(flat, flat).masked_fill(same, float("inf")).argmin(dim=1)
    return (latents + latents[nearest]) / 2


@torch.no_grad()
def decode_frames(latents: Tensor, context: EvalContext) -> Array:
    """Windows of latents [N, C, H, l] to log-mel frames [N * WINDOW, M]."""
    mels = [
        mel
        for part in latents.split(AT_ONCE)
        for mel in context.latent_system.decode(part, [WINDOW] * len(part)).mels
    ]
    return to_frames(torch.stack(mels))


def decode_midpoints(latents: Tensor, clips: list[str], context: EvalContext) -> Array:
    """Midpoints as frames, each through the model's latent norm, as all that it decodes is."""
    middle = context.latent_system.normalise(midpoints(latents, clips))
    return decode_frames(middle, context)


def to_frames(mels: Tensor) -> Array:
    """Mels [N, M, F] to frames [N * F, M]."""
    return mels.transpose(1, 2).flatten(0, 1).numpy()


def measure(batches: Iterator[Batch], context: EvalContext) -> Iterator[list[Row]]:
    """`mel_frechet` of the set: Frechet distance of log-mel frames to those of real speech.

    "interpolation" is that of decoded midpoints, "reconstruction" that of the same windows
    decoded as they are: the one above the other says how much of the space between two clips is
    no speech. The idea of iFID (arXiv 2603.05630), with log-mel frames in place of an image
    network's features. Windows are decoded without their context in both.
    """
    found = windows(batches, context.latent_system.whole_latent_frames(WINDOW))
    values = {name: Score(float("nan"), "no clip is long enough") for name in CONDITIONS}
    if found:
        clips, latents, mels = zip(*found, strict=True)
        stacked = torch.stack(latents)
        real = to_frames(torch.stack(mels))
        values["reconstruction"] = score(
            lambda: frechet_distance(decode_frames(stacked, context), real)
        )
        values["interpolation"] = score(
            lambda: frechet_distance(decode_midpoints(stacked, list(clips), context), real)
        )
    yield [Row("", name, "mel_frechet", *value) for name, value in values.items()]


def cells(context: EvalContext, clip: Clip) -> list[Cell]:
    return []  # what is measured is of the set


EVALUATOR = Evaluator(
    name="interpolation",
    version=2,
    measure=measure,
    cells=cells,
    needs=Needs.MEL_GRID,
    by_clip=False,
)
