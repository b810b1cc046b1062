"""How good is the speech that a model of the latents goes on with? In measures all spaces share.

Held-out prompts of 1.5 s, continued and vocoded, by condition: "modelability" by the models of the
standardised latents, "modelability_raw" of raw ones, "no_context" by a Gaussian, "reconstruction"
with the clip's own latents, which is what a perfect model would reach, and "original" as spoken.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from analysis.asr.recogniser import Recogniser
from analysis.context import Batch, EvalContext
from analysis.evaluator import Cell, Evaluator, Needs
from analysis.evaluators import latent_lm
from analysis.evaluators.degraded_scores import find_recogniser
from analysis.evaluators.distillmos import EVALUATOR as DISTILLMOS
from analysis.evaluators.speaker_similarity import EVALUATOR as SPEAKER
from analysis.evaluators.speaker_similarity import Voice, embed, similarity
from analysis.latent_lm.continuation import CONDITIONS, PROMPT, STANDARDISED, Continuations, Prompt
from analysis.latent_lm.probe import probe_of
from analysis.metrics.distillmos import distillmos_scores
from analysis.metrics.score import Score
from analysis.outputs.table import Row
from dcvae.audio.io import write_audio
from dcvae.audio.mel import FRAMES_PER_SECOND, HOP, SAMPLE_RATE
from dcvae.data.manifest import Clip
from dcvae.utils.files import replacing_folder

CLIPS = 40  # the first that are long enough
LONG = 96  # mel frames that are heard of a continuation at least, 1.1 s
EXAMPLES = 3  # kept as audio
ORIGINAL = "original"
OPINION, VOICE = "continuation_distillmos", "continuation_similarity"
WORDS = "continuation_nll"


def long_clips(context: EvalContext) -> list[Clip]:
    """The first clips of which enough is left behind the prompt."""
    shortest = (PROMPT + LONG + 1) / FRAMES_PER_SECOND
    return [clip for clip in context.clips if clip.duration >= shortest][:CLIPS]


def measure(batches: Iterator[Batch], context: EvalContext) -> Iterator[list[Row]]:
    """What is heard of the continuations.

    DistillMOS; how alike the voice is to the prompt's, a cosine; and, where there is a recogniser,
    the negative log-likelihood of the words that it reads in it, in nats a token: where there are
    none to be heard it guesses.
    """
    names = [sample.name for batch in batches for sample in batch.samples]
    probe = probe_of(context)
    found = probe.continuations(context)
    numbers = {prompt.name: number for number, prompt in enumerate(found.prompts)}
    reasons = dict.fromkeys(names, probe.reason or "not among the continued clips") | probe.faults
    missing = [name for name in names if name not in numbers]
    every = all_cells(context)
    yield [Row(name, *cell, math.nan, reasons[name]) for name in missing for cell in every]
    heard = [numbers[clip.name] for clip in long_clips(context) if clip.name in numbers]
    if heard:
        yield from rows_of(found, heard, context)
        write_examples(found, heard[:EXAMPLES], context)


def rows_of(
    found: Continuations, numbers: Sequence[int], context: EvalContext
) -> Iterator[list[Row]]:
    """The rows of these prompts in every condition."""
    prompts = [found.prompts[number] for number in numbers]
    names = [prompt.name for prompt in prompts]
    originals = [prompt.wave for prompt in prompts]
    encoder = context.resources.voice_encoder
    voices = embed(encoder, [wave[: PROMPT * HOP] for wave in originals])
    recogniser = find_recogniser(context)
    yield context.rows_once(
        f"continuation of the original, read by {recogniser.name if recogniser else 'none'}",
        names,
        lambda: heard(ORIGINAL, prompts, voices, originals, context),
    )
    for condition in CONDITIONS:
        waves = [found.outputs[condition][number].waves[0] for number in numbers]
        yield heard(condition, prompts, voices, waves, context)


def heard(
    condition: str,
    prompts: Sequence[Prompt],
    voices: Sequence[Voice],
    waves: Sequence[Tensor],
    context: EvalContext,
) -> list[Row]:
    """The rows of waves [F * HOP] of prompt and continuation, of which the latter is judged."""
    spoken = [wave[PROMPT * HOP :] for wave in waves]
    pool = context.resources.pool
    pending = [
        pool.submit(distillmos_scores, wave.numpy(), wave.numpy(), SAMPLE_RATE) for wave in spoken
    ]
    outputs = embed(context.resources.voice_encoder, spoken)
    rows = [
        Row(prompt.name, condition, VOICE, *similarity(voice, output))
        for prompt, voice, output in zip(prompts, voices, outputs, strict=True)
    ]
    if recogniser := find_recogniser(context):
        scores = own_words(recogniser, spoken, [prompt.language for prompt in prompts])
        pairs = zip(prompts, scores, strict=True)
        rows += [Row(prompt.name, condition, WORDS, *one) for prompt, one in pairs]
    for prompt, future in zip(prompts, pending, strict=True):
        rows.append(Row(prompt.name, condition, OPINION, *future.result()["distillmos"]))
    return rows


def own_words(
    recogniser: Recogniser, waves: Sequence[Tensor], languages: Sequence[str]
) -> list[Score]:
    """How likely the recogniser finds what it reads in each wave [T] itself."""
    readings = recogniser.transcribe(waves, languages)
    read = [number for number, one in enumerate(readings) if one.text.strip()]
    found = recogniser.text_nll(
        [waves[number] for number in read],
        [readings[number].language for number in read],
        [readings[number].text for number in read],
    )
    scores = dict(zip(read, found, strict=True))
    return [
        scores.get(number, Score(math.nan, one.reason or "no words are read"))
        for number, one in enumerate(readings)
    ]


def write_examples(found: Continuations, numbers: Sequence[int], context: EvalContext) -> None:
    """A folder for each example, for the listening page: two waves and both mels."""
    with replacing_folder(context.run.analysis / "continuations") as folder:
        for number in numbers:
            prompt, output = found.prompts[number], found.outputs[STANDARDISED][number]
            mel, wave = output.mels[0], output.waves[0]
            if not bool(torch.isfinite(wave).all()):
                continue
            place = folder / prompt.name
            place.mkdir()
            write_audio(place / "original.wav", prompt.wave)
            write_audio(place / "continuation.wav", wave)
            np.savez_compressed(
                place / "mel.npz", original=prompt.mel.numpy(), continuation=mel.numpy()
            )


def all_cells(context: EvalContext) -> list[Cell]:
    """What every clip has a row of."""
    metrics = [OPINION, VOICE] + [WORDS] * (find_recogniser(context) is not None)
    return [(condition, name) for condition in (ORIGINAL, *CONDITIONS) for name in metrics]


def cells(context: EvalContext, clip: Clip) -> list[Cell]:
    return all_cells(context)


def settings(context: EvalContext) -> dict[str, Any]:
    """Those of the models that continue, and who reads the words."""
    recogniser = find_recogniser(context)
    return latent_lm.settings(context) | {"recogniser": recogniser.name if recogniser else None}


EVALUATOR = Evaluator(
    name="continuations",
    version=2,
    measure=measure,
    cells=cells,
    clips=long_clips,
    settings=settings,
    libraries=(*DISTILLMOS.libraries, *SPEAKER.libraries),
    install=f"{SPEAKER.install} && pip install {DISTILLMOS.install}",
    needs=Needs.LATENTS,
    by_clip=False,
)
