"""Every evaluator, in the order in which they run."""

from analysis.evaluator import Evaluator
from analysis.evaluators import (
    audio_quality,
    channels,
    continuation_frechet,
    continuations,
    distillmos,
    dnsmos,
    interface,
    interpolation,
    latent_lm,
    latent_noise,
    latent_space,
    phones,
    pitch,
    robustness,
    speaker_similarity,
    unseen_voices,
    visqol,
    words,
)

EVALUATORS: dict[str, Evaluator] = {
    evaluator.name: evaluator
    for evaluator in (
        audio_quality.EVALUATOR,
        pitch.EVALUATOR,
        distillmos.EVALUATOR,
        dnsmos.EVALUATOR,
        visqol.EVALUATOR,
        words.EVALUATOR,
        speaker_similarity.EVALUATOR,
        latent_space.EVALUATOR,
        phones.EVALUATOR,
        channels.EVALUATOR,
        latent_noise.LATENT_NOISE,
        latent_noise.LATENT_NOISE_AUDIO,
        robustness.INPUT_NOISE,
        robustness.ROUND_TRIPS,
        interpolation.EVALUATOR,
        latent_lm.EVALUATOR,
        continuation_frechet.EVALUATOR,
        continuations.EVALUATOR,
        interface.EVALUATOR,
        unseen_voices.QUALITY,
        unseen_voices.SPEAKER,
    )
}


def choose(only: list[str] | None, skip: list[str] | None) -> list[Evaluator]:
    """The evaluators named by `only` (all where None) without those named by `skip`.

    ValueError names one that does not exist.
    """
    for name in (*(only or ()), *(skip or ())):
        if name not in EVALUATORS:
            raise ValueError(f"no evaluator is named {name!r}: choose from {', '.join(EVALUATORS)}")
    chosen = [
        evaluator
        for name, evaluator in EVALUATORS.items()
        if (only is None or name in only) and name not in (skip or ())
    ]
    if not chosen:
        raise ValueError("--only and --skip leave no evaluator")
    return chosen
