"""What noise on the input, and coding again and again cost."""

from collections.abc import Iterator

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

RATIOS = (20, 10, 5, 0)  # decibels of speech over noise
NOISES = ("white", "babble")
TRIPS = 8
VOCODED_TRIPS = (1, 2, 4, 8)  # where PESQ and STOI are had as well


def first_clips(context: EvalContext) -> list[Clip]:
    """The first of the selection, which has every speaker in turn."""
    return context.clips[: context.resources.options.robustness_clips]


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


LIBRARIES = ("pesq", "pystoi")
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
