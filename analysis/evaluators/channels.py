"""What each latent channel is worth: how much the mel loses when a channel says nothing."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from analysis.context import Batch, EvalContext
from analysis.evaluator import Cell, Evaluator, Needs
from analysis.evaluators.robustness import first_clips
from analysis.metrics.latent_statistics import effective_number
from analysis.metrics.score import Score, Unmeasurable, score
from analysis.metrics.spectral import mel_l1
from analysis.outputs.table import Row
from dcvae.data.manifest import Clip


def channel_means(batches: list[Batch]) -> Tensor:
    """The mean of each channel and bin over all frames of the clips [C, H, 1]."""
    frames = torch.cat([one for batch in batches for one in batch.clip_latents], dim=-1)
    return frames.double().mean(dim=-1, keepdim=True).float()


def measure(batches: Iterator[Batch], context: EvalContext) -> Iterator[list[Row]]:
    """`mel_l1_rise` of each channel and clip, and the set's `effective_channels`.

    A channel is replaced by its mean over all clips, as in permutation and mean ablation of
    features: what the others cannot make up for is its worth. Effective channels are the
    exponential of the entropy of the mean rises' shares: C where all are worth alike. Clips of
    which a rise is not known, such as silent ones, have no part in it.
    """
    every = list(batches)
    rises: list[list[float]] = []
    means = channel_means(every) if every else torch.zeros(0)
    for batch in every:
        clean = [score(mel_l1, *pair) for pair in mel_pairs(batch, batch.mels)]
        rows = []
        for channel, mean in enumerate(means):
            silenced = batch.latents.clone()
            silenced[:, channel] = mean
            mels = context.decode(batch.samples, silenced).mels
            for sample, before, pair in zip(
                batch.samples, clean, mel_pairs(batch, mels), strict=True
            ):
                after = score(mel_l1, *pair)
                rise = Score(after.value - before.value, after.reason or before.reason)
                rows.append(Row(sample.name, cell(channel), "mel_l1_rise", *rise))
        count = len(batch.samples)
        rises += [[row.value for row in rows[clip::count]] for clip in range(count)]
        yield rows
    yield [Row("", "latents", "effective_channels", *score(effective_channels, rises))]


def effective_channels(rises: Sequence[Sequence[float]]) -> float:
    """Of the rises of each clip and channel [N, C]; Unmeasurable where no clip has all of them."""
    finite = [one for one in rises if np.isfinite(one).all()]
    if not finite:
        raise Unmeasurable("no clip has a finite rise of every channel")
    return effective_number(np.mean(finite, axis=0).clip(0))


def mel_pairs(batch: Batch, mels: list[Tensor]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Original and output log-mels [M, F] of each sample."""
    pairs = zip(batch.samples, mels, strict=True)
    return [(sample.mel.numpy(), mel.numpy()) for sample, mel in pairs]


def cell(channel: int) -> str:
    return f"channel_{channel:02}"


def cells(context: EvalContext, clip: Clip) -> list[Cell]:
    channels = range(context.latent_system.latent_shape[0])
    return [(cell(channel), "mel_l1_rise") for channel in channels]


EVALUATOR = Evaluator(
    name="channels",
    version=1,
    measure=measure,
    cells=cells,
    clips=first_clips,
    needs=Needs.LATENTS,
    by_clip=False,
)
