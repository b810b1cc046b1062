"""What noise on the latents, noise on the input, and coding again and again cost."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from analysis.degrade import add_at_ratio, babble, fixed_noise
from analysis.question import Cell, Question
from analysis.robust_scores import Judge
from analysis.samples import Sample
from analysis.subject import Batch, Subject
from analysis.table import Row
from analysis.tools import beside_the_pool
from dcvae import LogMel
from dcvae.data.manifest import Clip

SIGMAS = (0.0, 0.125, 0.25, 0.5, 0.75, 1.0)  # times the standard deviation of the run's latents
RATIOS = (20, 10, 5, 0)  # decibels of speech over noise
NOISES = ("white", "babble")
TRIPS = 8
VOCODED_TRIPS = (1, 2, 4, 8)  # where PESQ and STOI are had as well
AREA = "latent_noise_area"


def first_clips(subject: Subject) -> list[Clip]:
    """The first of the selection, which has every speaker in turn."""
    return subject.clips[: subject.tools.options.robustness_clips]


def noise_clips(subject: Subject) -> list[Clip]:
    """Those, and as many again in a language that the recogniser reads, for the sake of dWER."""
    chosen = first_clips(subject)
    judge = Judge(subject, listening=True)
    read = [clip for clip in subject.clips if judge.reads(clip)]
    names = {clip.name for clip in chosen}
    more = read[: subject.tools.options.robustness_clips]
    return chosen + [clip for clip in more if clip.name not in names]


def latent_std(subject: Subject, clips: Sequence[Clip]) -> float:
    """Standard deviation of all latents of these clips, without padding."""
    parts = [
        latents.flatten() for batch in subject.batches(clips) for latents in batch.clip_latents
    ]
    return float(torch.cat(parts).double().std()) if parts else 0.0


def measure_latent_noise(batches: Iterator[Batch], subject: Subject) -> Iterator[list[Row]]:
    """Normal noise of sigma times the run's own latent deviation, decoded and scored.

    So the spaces of all runs are disturbed alike, whatever their scale. The area under each
    curve is its mean height over the range of sigma (trapezoids), clip by clip.
    """
    std = latent_std(subject, noise_clips(subject))
    judge = Judge(subject, listening=True)
    with beside_the_pool():
        for batch in batches:
            noise = std * torch.stack(
                [fixed_noise(name, batch.latents.shape[1:]) for name in batch.names]
            )
            judge.start(batch)
            for sigma in SIGMAS:
                if sigma:
                    mels = subject.decode(batch.samples, batch.latents + sigma * noise)
                    waves = subject.vocode(batch.samples, mels)
                else:
                    mels, waves = batch.mels, batch.waves
                judge.hear(f"latent_noise_{sigma}", mels, waves)
            rows = judge.finish()
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


def measure_input_noise(batches: Iterator[Batch], subject: Subject) -> Iterator[list[Row]]:
    """Noisy speech through the model, compared with the clean original.

    "noisy_..." is the noisy input itself, with no model and no vocoder: what is lost already.
    """
    judge, log_mel = Judge(subject, listening=False), LogMel()
    with beside_the_pool():
        for batch in batches:
            judge.start(batch)
            for kind in NOISES:
                noises = [make_noise(kind, sample, subject) for sample in batch.samples]
                for ratio in RATIOS:
                    pairs = zip(batch.samples, noises, strict=True)
                    noisy = [add_at_ratio(one.wave, noise, ratio) for one, noise in pairs]
                    mels = [log_mel(wave[None])[0] for wave in noisy]
                    coded = subject.decode(batch.samples, subject.encode(batch.samples, mels))
                    judge.hear(f"noisy_{kind}_{ratio}", mels, noisy)
                    judge.hear(f"input_{kind}_{ratio}", coded, subject.vocode(batch.samples, coded))
            yield judge.finish()


def make_noise(kind: str, sample: Sample, subject: Subject) -> Tensor:
    """Noise [T] for one clip."""
    if kind == "white":
        return fixed_noise(sample.name, sample.wave.shape)
    return babble(sample.clip, subject.clips, len(sample.wave))


def measure_round_trips(batches: Iterator[Batch], subject: Subject) -> Iterator[list[Row]]:
    """Coded once and again: each trip's output mel is the next one's input.

    No vocoder lies between trips, so its own error is in none of them.
    """
    judge = Judge(subject, listening=False)
    with beside_the_pool():
        for batch in batches:
            judge.start(batch)
            mels = [sample.mel for sample in batch.samples]
            for trip in range(1, TRIPS + 1):
                mels = subject.decode(batch.samples, subject.encode(batch.samples, mels))
                vocoded = trip in VOCODED_TRIPS
                waves = subject.vocode(batch.samples, mels) if vocoded else None
                judge.hear(f"round_trip_{trip}", mels, waves)
            yield judge.finish()


def noise_cells(subject: Subject, clip: Clip) -> list[Cell]:
    metrics = Judge(subject, listening=True).metrics(clip)
    conditions = (*(f"latent_noise_{sigma}" for sigma in SIGMAS), AREA)
    return [(condition, metric) for condition in conditions for metric in metrics]


def input_cells(subject: Subject, clip: Clip) -> list[Cell]:
    metrics = Judge(subject, listening=False).metrics(clip)
    return [
        (f"{source}_{kind}_{ratio}", metric)
        for source in ("noisy", "input")
        for kind in NOISES
        for ratio in RATIOS
        for metric in metrics
    ]


def trip_cells(subject: Subject, clip: Clip) -> list[Cell]:
    metrics = Judge(subject, listening=False).metrics(clip)
    return [
        (f"round_trip_{trip}", metric)
        for trip in range(1, TRIPS + 1)
        for metric in metrics
        if metric == "mel_l1" or trip in VOCODED_TRIPS
    ]


def settings(subject: Subject) -> dict[str, Any]:
    """With which listening models the outputs are judged: they may be installed later."""
    return Judge(subject, listening=True).settings


LIBRARIES = ("pesq", "pystoi")
LATENT_NOISE = Question(
    name="latent_noise",
    version=1,
    measure=measure_latent_noise,
    cells=noise_cells,
    clips=noise_clips,
    settings=settings,
    libraries=LIBRARIES,
)
INPUT_NOISE = Question(
    name="input_noise",
    version=1,
    measure=measure_input_noise,
    cells=input_cells,
    clips=first_clips,
    libraries=LIBRARIES,
)
ROUND_TRIPS = Question(
    name="round_trips",
    version=1,
    measure=measure_round_trips,
    cells=trip_cells,
    clips=first_clips,
    libraries=LIBRARIES,
)
