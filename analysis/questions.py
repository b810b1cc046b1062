"""Every question that can be asked of a run, in the order in which they are asked."""

from analysis import (
    dnsmos,
    intelligibility,
    interpolation,
    latents,
    modelability,
    pitch,
    quality,
    robustness,
    speaker,
    unseen,
    visqol,
)
from analysis.question import Question

QUESTIONS: dict[str, Question] = {
    question.name: question
    for question in (
        quality.QUESTION,
        pitch.QUESTION,
        dnsmos.QUESTION,
        visqol.QUESTION,
        intelligibility.QUESTION,
        speaker.QUESTION,
        latents.QUESTION,
        robustness.LATENT_NOISE,
        robustness.INPUT_NOISE,
        robustness.ROUND_TRIPS,
        interpolation.QUESTION,
        modelability.QUESTION,
        unseen.QUALITY,
        unseen.SPEAKER,
    )
}


def choose(only: list[str] | None, skip: list[str] | None) -> list[Question]:
    """The questions named by `only` (all where None) without those named by `skip`.

    ValueError names a question that does not exist.
    """
    for name in (*(only or ()), *(skip or ())):
        if name not in QUESTIONS:
            raise ValueError(f"no question is named {name!r}: choose from {', '.join(QUESTIONS)}")
    chosen = [
        question
        for name, question in QUESTIONS.items()
        if (only is None or name in only) and name not in (skip or ())
    ]
    if not chosen:
        raise ValueError("--only and --skip leave no question to ask")
    return chosen
