"""How good is the speech that models of the latents go on with? In measures that all spaces share.

Continuations of held-out prompts, by condition: "modelability" of the models of standardised
latents, "modelability_raw" of raw ones, "no_context" of a Gaussian, "reconstruction" of the clip's
own latents, which is what a perfect model would reach, and "original" of the clip itself.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from statistics import fmean

import numpy as np
import torch
from torch import Tensor

from analysis.context import EvalContext
from analysis.evaluator import Cell
from analysis.evaluators.speaker_encoder import voice_encoder_missing
from analysis.evaluators.speaker_similarity import embed, similarity
from analysis.latent_lm.continuation import (
    CONDITIONS,
    PROMPT,
    STANDARDISED,
    Continuations,
    Prompt,
    changes,
    spectra,
)
from analysis.metrics.distillmos import distillmos_scores
from analysis.metrics.frechet import frechet_by_clip
from analysis.metrics.score import Array, Score, Unmeasurable, series
from analysis.outputs.table import Row
from dcvae.audio.io import write_audio
from dcvae.audio.mel import HOP, SAMPLE_RATE
from dcvae.utils.files import replacing_folder

CHANGE = 16  # mel frames, 0.19 s, over which the change of a spectrum is taken
FEWEST = 8  # clips to be continued
TOO_SHORT = "too short to be continued"
HEARD = 40  # continuations that are vocoded and listened to, a condition
LONG = 96  # mel frames of them at least, 1.1 s
EXAMPLES = 3  # kept as audio
ORIGINAL = "original"
Spread = Callable[[Sequence[Tensor]], list[Array]]  # mels [M, F] to rows [L, D] of each
DISTANCES: dict[str, Spread] = {
    "continuation_frechet": spectra,
    "continuation_change_frechet": partial(changes, apart=CHANGE),
}


def continuation_cells() -> list[Cell]:
    """What every clip has a row of."""
    return [(condition, metric) for condition in CONDITIONS for metric in DISTANCES]


def continuation_rows(
    found: Continuations, clips: Sequence[str], context: EvalContext
) -> Iterator[list[Row]]:
    """The rows of every clip, in the selection's order; one that was not continued says why."""
    continued = {prompt.name for prompt in found.prompts}
    cells = continuation_cells()
    missing = [name for name in clips if name not in continued]
    yield [Row(name, *cell, math.nan, TOO_SHORT) for name in missing for cell in cells]
    yield distance_rows(found)
    heard = sorted(found.long(LONG), key=lambda number: clips.index(found.prompts[number].name))
    yield from heard_rows(found, heard[:HEARD], context)
    write_examples(found, heard[:EXAMPLES], context)


def distance_rows(found: Continuations) -> list[Row]:
    """Frechet distances to real speech at equal numbers of frames, as a jackknife gives each clip.

    `continuation_frechet` is of log-mel frames. Frames without any order could have a low one, so
    `continuation_change_frechet`, of how frames change within 0.19 s, stands beside it.
    """
    names = [prompt.name for prompt in found.prompts]
    rows = []
    for metric, of in DISTANCES.items():
        real = of([prompt.spoken for prompt in found.prompts])
        for condition in CONDITIONS:
            scores = series(len(names), partial(pseudo_values, found, condition, of, real))
            pairs = zip(names, scores, strict=True)
            rows += [Row(name, condition, metric, *one) for name, one in pairs]
    return rows


def pseudo_values(
    found: Continuations, condition: str, of: Spread, real: Sequence[Array]
) -> list[Score]:
    """Each clip's, the mean over the draws."""
    if len(real) < FEWEST:
        raise Unmeasurable(
            f"{len(real)} held-out clips are long enough to be continued, {FEWEST} needed"
        )
    draws = range(len(found.mels[condition]))
    values = [frechet_by_clip(of(found.spoken(condition, draw)), real) for draw in draws]
    return [Score(fmean(one)) for one in zip(*values, strict=True)]


def heard_rows(
    found: Continuations, numbers: Sequence[int], context: EvalContext
) -> Iterator[list[Row]]:
    """DistillMOS of the continuations, and how alike their voice is to the prompt's."""
    prompts = [found.prompts[number] for number in numbers]
    names = [prompt.name for prompt in prompts]
    originals = [prompt.wave for prompt in prompts]
    yield context.rows_once(
        "continuation of the original", names, lambda: heard(ORIGINAL, prompts, originals, context)
    )
    for condition in CONDITIONS:
        mels = [found.mels[condition][0][number] for number in numbers]
        waves = [vocode(mel, context) for mel in mels]
        yield heard(condition, prompts, waves, context)


def heard(
    condition: str, prompts: Sequence[Prompt], waves: Sequence[Tensor], context: EvalContext
) -> list[Row]:
    """The rows of waves [F * HOP] of prompt and continuation, of which the latter is heard."""
    spoken = [wave[PROMPT * HOP :] for wave in waves]
    pending = [
        context.resources.pool.submit(distillmos_scores, wave.numpy(), wave.numpy(), SAMPLE_RATE)
        for wave in spoken
    ]
    rows = []
    if not voice_encoder_missing():
        encoder = context.resources.voice_encoder
        voices = embed(encoder, [prompt.wave[: PROMPT * HOP] for prompt in prompts])
        rows += [
            Row(prompt.name, condition, "continuation_similarity", *similarity(voice, output))
            for prompt, voice, output in zip(prompts, voices, embed(encoder, spoken), strict=True)
        ]
    for prompt, future in zip(prompts, pending, strict=True):
        score = future.result()["distillmos"]
        rows.append(Row(prompt.name, condition, "continuation_distillmos", *score))
    return rows


def write_examples(found: Continuations, numbers: Sequence[int], context: EvalContext) -> None:
    """A folder for each example, for the listening page: two waves and both mels."""
    with replacing_folder(context.run.analysis / "continuations") as folder:
        for number in numbers:
            prompt, mel = found.prompts[number], found.mels[STANDARDISED][0][number]
            wave = vocode(mel, context)
            if not bool(torch.isfinite(wave).all()):
                continue
            place = folder / prompt.name
            place.mkdir()
            write_audio(place / "original.wav", prompt.wave)
            write_audio(place / "continuation.wav", wave)
            np.savez_compressed(
                place / "mel.npz", original=prompt.mel.numpy(), continuation=mel.numpy()
            )


def vocode(mel: Tensor, context: EvalContext) -> Tensor:
    """A mel [M, F] to a wave [F * HOP] on the CPU."""
    return context.vocoder(mel[None].to(context.resources.device))[0].cpu()
