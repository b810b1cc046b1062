"""What noise on the latents, noise on the input, and coding again and again cost."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from analysis.batching import Sample
from analysis.context import Batch, EvalContext
from analysis.evaluator import Cell, Evaluator
from analysis.evaluators.degraded_scores import DegradedScorer
from analysis.evaluators.noise import add_at_ratio, babble, fixed_noise
from analysis.outputs.table import Row
from analysis.resources import beside_the_pool
from dcvae import LogMel
from dcvae.data.manifest import Clip

SIGMAS = (0.0, 0.125, 0.25, 0.5, 0.75, 1.0)  # times the standard deviation of the run's latents
RATIOS = (20, 10, 5, 0)  # decibels of speech over noise
NOISES = ("white", "babble")
TRIPS = 8
VOCODED_TRIPS = (1, 2, 4, 8)  # where PESQ and STOI are had as well
AREA = "latent_noise_area"


def first_clips(context: EvalContext) -> list[Clip]:
    """The first of the selection, which has every speaker in turn."""
    return context.clips[: context.resources.options.robustness_clips]


def noise_clips(context: EvalContext) -> list[Clip]:
    """Those, and as many again in a language that the recogniser reads, for the sake of dWER."""
    chosen = first_clips(context)
    scorer = DegradedScorer(context, listening=True)
    read = [clip for clip in context.clips if scorer.reads(clip)]
    names = {clip.name for clip in chosen}
    more = read[: context.resources.options.robustness_clips]
    return chosen + [clip for clip in more if clip.name not in names]


def latent_std(context: EvalContext, clips: Sequence[Clip]) -> float:
    """Standard deviation of all latents of these clips, without padding."""
    parts = [
        latents.flatten() for batch in context.batches(clips) for latents in batch.clip_latents
    ]
    return float(torch.cat(parts).double().std()) if parts else 0.0


def measure_latent_noise(batches: Iterator[Batch], context: EvalContext) -> Iterator[list[Row]]:
    """Normal noise of sigma times the run's own latent deviation, decoded and scored.

    So the spaces of all runs are disturbed alike, whatever their scale. The area under each
    curve is its mean height over the range of sigma (trapezoids), clip by clip.
    """
    std = latent_std(context, noise_clips(context))
    scorer = DegradedScorer(context, listening=True)
    with beside_the_pool():
        for batch in batches:
            noise = std * torch.stack(
                [fixed_noise(name, batch.latents.shape[1:]) for name in batch.names]
            )
            scorer.start(batch)
            for sigma in SIGMAS:
                if sigma:
                    mels = context.decode(batch.samples, batch.latents + sigma * noise)
                    waves = context.vocode(batch.samples, mels)
                else:
                    mels, waves = batch.mels, batch.waves
                scorer.score_outputs(f"latent_noise_{sigma}", mels, waves)
            rows = scorer.finish()
            yield rows + areas(rows)


def areas(rows: Sequence[Row]) -> list[Row]:
    """The mean height of each clip's curve over sigma; NaN where a point of it is missing."""
    curves: dict[tuple[str, str], dict[float, float]] = {}
    for row in rows:
        sigma = float(row.condition.rpartition("_")[2])
        curves.setdefault((row.clip, row.metric), {})[sigma] = row.value
    return [
        Row(
            clip,
            AREA,
            metric,
            height := float(np.trapezoid(list(curve.values()), list(curve)) / max(SIGMAS)),
            "" if np.isfinite(height) else "a point of the curve is missing",
        )
        for (clip, metric), curve in curves.items()
    ]


def measure_input_noise(batches: Iterator[Batch], context: EvalContext) -> Iterator[list[Row]]:
    """Noisy speech through the model, compared with the clean original.

    "noisy_..." is the noisy input itself, with no model and no vocoder: what is lost already.
    """
    scorer, log_mel = DegradedScorer(context, listening=False), LogMel()
    with beside_the_pool():
        for batch in batches:
            scorer.start(batch)
            for kind in NOISES:
                noises = [make_noise(kind, sample, context) for sample in batch.samples]
                for ratio in RATIOS:
                    pairs = zip(batch.samples, noises, strict=True)
                    noisy = [add_at_ratio(one.wave, noise, ratio) for one, noise in pairs]
                    mels = [log_mel(wave[None])[0] for wave in noisy]
                    coded = context.decode(batch.samples, context.encode(batch.samples, mels))
                    scorer.score_outputs(f"noisy_{kind}_{ratio}", mels, noisy)
                    scorer.score_outputs(
                        f"input_{kind}_{ratio}", coded, context.vocode(batch.samples, coded)
                    )
            yield scorer.finish()


def make_noise(kind: str, sample: Sample, context: EvalContext) -> Tensor:
    """Noise [T] for one clip."""
    if kind == "white":
        return fixed_noise(sample.name, sample.wave.shape)
    return babble(sample.clip, context.clips, len(sample.wave))


def measure_round_trips(batches: Iterator[Batch], context: EvalContext) -> Iterator[list[Row]]:
    """Coded once and again: each trip's output mel is the next one's input.

    No vocoder lies between trips, so its own error is in none of them.
    """
    scorer = DegradedScorer(context, listening=False)
    with beside_the_pool():
        for batch in batches:
            scorer.start(batch)
            mels = [sample.mel for sample in batch.samples]
            for trip in range(1, TRIPS + 1):
                mels = context.decode(batch.samples, context.encode(batch.samples, mels))
                vocoded = trip in VOCODED_TRIPS
                waves = context.vocode(batch.samples, mels) if vocoded else None
                scorer.score_outputs(f"round_trip_{trip}", mels, waves)
            yield scorer.finish()


def noise_cells(context: EvalContext, clip: Clip) -> list[Cell]:
    metrics = DegradedScorer(context, listening=True).metrics(clip)
    conditions = (*(f"latent_noise_{sigma}" for sigma in SIGMAS), AREA)
    return [(condition, metric) for condition in conditions for metric in metrics]


def input_cells(context: EvalContext, clip: Clip) -> list[Cell]:
    metrics = DegradedScorer(context, listening=False).metrics(clip)
    return [
        (f"{source}_{kind}_{ratio}", metric)
        for source in ("noisy", "input")
        for kind in NOISES
        for ratio in RATIOS
        for metric in metrics
    ]


def trip_cells(context: EvalContext, clip: Clip) -> list[Cell]:
    metrics = DegradedScorer(context, listening=False).metrics(clip)
    return [
        (f"round_trip_{trip}", metric)
        for trip in range(1, TRIPS + 1)
        for metric in metrics
        if metric == "mel_l1" or trip in VOCODED_TRIPS
    ]


def settings(context: EvalContext) -> dict[str, Any]:
    """With which listening models the outputs are scored: they may be installed later."""
    return DegradedScorer(context, listening=True).settings


LIBRARIES = ("pesq", "pystoi")
LATENT_NOISE = Evaluator(
    name="latent_noise",
    version=1,
    measure=measure_latent_noise,
    cells=noise_cells,
    clips=noise_clips,
    settings=settings,
    libraries=LIBRARIES,
)
INPUT_NOISE = Evaluator(
    name="input_noise",
    version=1,
    measure=measure_input_noise,
    cells=input_cells,
    clips=first_clips,
    libraries=LIBRARIES,
)
ROUND_TRIPS = Evaluator(
    name="round_trips",
    version=1,
    measure=measure_round_trips,
    cells=trip_cells,
    clips=first_clips,
    libraries=LIBRARIES,
)
