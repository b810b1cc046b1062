"""What noise on the latents costs: the mel from the decoder, and speech from the vocoder."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from analysis.context import Batch, EvalContext
from analysis.evaluator import Cell, Evaluator, Needs
from analysis.evaluators.degraded_scores import DegradedScorer, mel_l1_rows
from analysis.evaluators.noise import fixed_noise
from analysis.metrics.score import Score, score
from analysis.outputs.table import Row
from analysis.resources import beside_the_pool
from analysis.systems.system import Outputs
from dcvae.data.manifest import Clip

SPACE, PER_DIM = "latent_noise", "latent_noise_per_dim"  # conditions, before the level of noise
SIGMAS = (0.0, 0.125, 0.25, 0.5, 0.75, 1.0)  # times the deviation of the run's own latents
AUDIO_SIGMAS = (0.0, 0.25, 0.5, 1.0)
TRAINED = 0.5  # areas end at the most noise that the baseline is trained with
LOWER_IS_BETTER = ("mel_l1", "text_nll")


class Deviations(NamedTuple):
    """Standard deviations of a run's latents, which broadcast over [B, C, H, L]."""

    space: Tensor  # [1, 1, 1], of all values
    per_dim: Tensor  # [C, H, 1], of each channel and bin over the frames


def latent_deviations(context: EvalContext) -> Deviations:
    """Of the latents of all clips of the selection, without padding."""
    parts = [one for batch in context.batches(context.clips) for one in batch.clip_latents]
    return deviations_of(torch.cat(parts, -1) if parts else torch.zeros(1, 1, 1))


def deviations_of(frames: Tensor) -> Deviations:
    """Of latents [C, H, L]."""
    frames = frames.double()
    return Deviations(
        frames.std(correction=0).float().reshape(1, 1, 1),
        frames.std(-1, keepdim=True, correction=0).float(),
    )


def unit_noise(batch: Batch) -> Tensor:
    """Standard normal noise for a batch's latents, each clip's the same in all runs."""
    return torch.stack([fixed_noise(name, batch.latents.shape[1:]) for name in batch.names])


def noisy_outputs(batch: Batch, noise: Tensor, sigma: float) -> Outputs:
    """What is decoded from each clip's latents with `sigma` times the noise."""
    if not sigma:
        return batch.outputs
    return batch.context.decode(batch.samples, batch.latents + sigma * noise)


def measure_latent_noise(batches: Iterator[Batch], context: EvalContext) -> Iterator[list[Row]]:
    """Mel L1 with normal noise of sigma times the run's own latent deviation.

    So the spaces of all runs are disturbed alike, whatever their scale. `latent_noise_<sigma>` has
    the deviation of the whole space, in which quiet dims drown first;
    `latent_noise_per_dim_<sigma>` has each dim's own, so that all have one signal-to-noise ratio.
    `noise_scale` of the set is the noise's root mean square at a sigma of 1, with the least and
    the most of a dim. A decoder that ignores its latents has a rise of 0: read the clean value
    beside it.
    """
    deviations = latent_deviations(context)
    for batch in batches:
        noise, rows = unit_noise(batch), []
        for condition, deviation in zip((SPACE, PER_DIM), deviations, strict=True):
            for sigma in SIGMAS:
                outputs = noisy_outputs(batch, deviation * noise, sigma)
                rows += mel_l1_rows(f"{condition}_{sigma}", batch, outputs.mels)
        yield rows + costs(rows)
    yield scale_rows(deviations)


def measure_audio(batches: Iterator[Batch], context: EvalContext) -> Iterator[list[Row]]:
    """What can be heard of that noise, at the scale of the whole space."""
    deviation = latent_deviations(context).space
    scorer = DegradedScorer(context, listening=True)
    with beside_the_pool():
        for batch in batches:
            noise = deviation * unit_noise(batch)
            scorer.start(batch)
            for sigma in AUDIO_SIGMAS:
                outputs = noisy_outputs(batch, noise, sigma)
                scorer.score_waves(f"{SPACE}_{sigma}", outputs.waves)
            rows = scorer.finish()
            yield rows + costs(rows)


def cost_name(metric: str) -> str:
    """What a metric's change for the worse is called: rise, or loss where higher is better."""
    return f"{metric}_{'rise' if metric in LOWER_IS_BETTER else 'loss'}"


def costs(rows: Sequence[Row]) -> list[Row]:
    """What each level of noise costs each clip, against the clip's own value without noise.

    `<condition>_area` is the mean of that over sigma from 0 to TRAINED (trapezoids), which for
    noise drawn as in the baseline's training, sigma ~ U(0, TRAINED), is what is to be expected.
    """
    curves: dict[tuple[str, str, str], dict[float, Score]] = {}
    for row in rows:
        condition, _, sigma = row.condition.rpartition("_")
        curve = curves.setdefault((row.clip, condition, row.metric), {})
        curve[float(sigma)] = Score(row.value, row.reason)
    found = []
    for (clip, condition, metric), curve in curves.items():
        name, sign = cost_name(metric), 1 if metric in LOWER_IS_BETTER else -1
        changes = {sigma: change(curve[0.0], one, sign) for sigma, one in curve.items()}
        found += [
            Row(clip, f"{condition}_{sigma}", name, *one) for sigma, one in changes.items() if sigma
        ]
        found.append(Row(clip, f"{condition}_area", name, *area(changes)))
    return found


def change(clean: Score, noisy: Score, sign: int) -> Score:
    """By how much a value is worse than without noise, or why that is not known."""
    if clean.reason:
        return Score(clean.value, f"without noise: {clean.reason}")
    return noisy if noisy.reason else Score(sign * (noisy.value - clean.value))


def area(curve: dict[float, Score]) -> Score:
    """Mean height of a curve over sigma from 0 to TRAINED; NaN where a point of it is missing."""
    points = {sigma: one for sigma, one in sorted(curve.items()) if sigma <= TRAINED}
    for one in points.values():
        if one.reason:
            return one
    heights = [one.value for one in points.values()]
    return score(lambda: np.trapezoid(heights, list(points)) / TRAINED)


def scale_rows(deviations: Deviations) -> list[Row]:
    """`noise_scale` of both, with the least and the most of a dim."""
    space, dims = float(deviations.space), deviations.per_dim.double()
    return [
        Row("", SPACE, "noise_scale", space),
        Row("", PER_DIM, "noise_scale", float(dims.square().mean().sqrt())),
        Row("", PER_DIM, "noise_scale_least", float(dims.min())),
        Row("", PER_DIM, "noise_scale_most", float(dims.max())),
    ]


def noise_cells(context: EvalContext, clip: Clip) -> list[Cell]:
    return [
        cell
        for condition in (SPACE, PER_DIM)
        for cell in curve_cells(condition, SIGMAS, ["mel_l1"])
    ]


def audio_cells(context: EvalContext, clip: Clip) -> list[Cell]:
    heard = DegradedScorer(context, listening=True).metrics(clip)
    return curve_cells(SPACE, AUDIO_SIGMAS, [name for name in heard if name != "mel_l1"])


def curve_cells(condition: str, sigmas: Sequence[float], metrics: Sequence[str]) -> list[Cell]:
    """What a clip has a row of: each metric's values and costs, and the area."""
    levels = [f"{condition}_{sigma}" for sigma in sigmas]
    values = [(level, metric) for level in levels for metric in metrics]
    places = [*levels[1:], f"{condition}_area"]
    return values + [(place, cost_name(metric)) for place in places for metric in metrics]


def audio_settings(context: EvalContext) -> dict[str, Any]:
    """With which listening models the outputs are scored: they may be installed later."""
    return DegradedScorer(context, listening=True).settings


LATENT_NOISE = Evaluator(
    name="latent_noise",
    version=2,
    measure=measure_latent_noise,
    cells=noise_cells,
    needs=Needs.LATENTS,
)
LATENT_NOISE_AUDIO = Evaluator(
    name="latent_noise_audio",
    version=1,
    measure=measure_audio,
    cells=audio_cells,
    needs=Needs.LATENTS,
    settings=audio_settings,
    libraries=("pesq", "pystoi"),
)
