"""What noise on the input, and coding again and again cost."""

from collections.abc import Iterator

from torch import Tensor

from analysis.batching import Sample
from analysis.context import TEST, Batch, EvalContext
from analysis.evaluator import Cell, Evaluator, Needs
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
                    noisy = [
                        with_wave(one, add_at_ratio(one.wave, noise, ratio), log_mel)
                        for one, noise in pairs
                    ]
                    scorer.score_mels(f"noisy_{kind}_{ratio}", [one.mel for one in noisy])
                    scorer.score_waves(f"noisy_{kind}_{ratio}", [one.wave for one in noisy])
                    scorer.score_outputs(f"input_{kind}_{ratio}", context.system.reconstruct(noisy))
            yield scorer.finish()


def with_wave(sample: Sample, wave: Tensor, log_mel: LogMel) -> Sample:
    """The sample with another wave [T] and the mel of that."""
    return Sample(sample.clip, wave, log_mel(wave[None])[0])


def make_noise(kind: str, sample: Sample, context: EvalContext) -> Tensor:
    """Noise [T] for one clip; babble is of the whole test split, however many clips are scored."""
    if kind == "white":
        return fixed_noise(sample.name, sample.wave.shape)
    return babble(sample.clip, context.split(TEST), len(sample.wave))


def measure_round_trips(batches: Iterator[Batch], context: EvalContext) -> Iterator[list[Row]]:
    """Coded once and again: each trip's output is the next one's input.

    Of a system that makes mels no vocoder lies between trips, so its own error is in none of
    them; another one's output wave is the next input.
    """
    scorer = DegradedScorer(context, listening=False)
    with beside_the_pool():
        for batch in batches:
            scorer.start(batch)
            samples = batch.samples
            for trip in range(1, TRIPS + 1):
                outputs = context.system.reconstruct(samples)
                samples = outputs.as_inputs(samples)
                scorer.score_mels(f"round_trip_{trip}", outputs.mels)
                if trip in VOCODED_TRIPS:
                    scorer.score_waves(f"round_trip_{trip}", outputs.waves)
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
    version=2,
    measure=measure_input_noise,
    cells=input_cells,
    clips=first_clips,
    needs=Needs.CODING,
    libraries=LIBRARIES,
)
ROUND_TRIPS = Evaluator(
    name="round_trips",
    version=1,
    measure=measure_round_trips,
    cells=trip_cells,
    clips=first_clips,
    needs=Needs.CODING,
    libraries=LIBRARIES,
)
