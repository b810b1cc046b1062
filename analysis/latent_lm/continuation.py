"""What the model of latents continues held-out speech with, compared with what was really said."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from analysis.batching import Sample
from analysis.context import EvalContext
from analysis.latent_lm.data import Standardiser, to_latents
from analysis.latent_lm.fit import Fitted
from analysis.latent_lm.heldout import noise_of
from analysis.latent_lm.presets import Preset
from analysis.latent_lm.sampling import continue_frames
from analysis.metrics.frechet import frechet_distance
from analysis.metrics.score import Array, score
from analysis.outputs.table import Row

PROMPT = 128  # mel frames, 1.5 s: a multiple of every compression up to 128x
LONGEST = 160  # mel frames of a continuation, 1.9 s
UNIT = 32  # mel frames, 0.4 s: a continuation is a multiple of it, so as to suit 32x too
CHANGE = 16  # mel frames, 0.19 s, over which the change of a spectrum is taken
FEWEST = 8  # clips to be continued
AT_ONCE = 16  # continuations decoded together
CONDITIONS = ("modelability", "no_context", "reconstruction")
METRICS = ("continuation_frechet", "continuation_change_frechet")


@dataclass(frozen=True)
class Prompt:
    """A held-out clip up to where its continuation ends: it goes on for as long as was spoken.

    Clips that end early are among them, as among those that the model has learned from.
    """

    name: str
    frames: Tensor  # latents [L, C * H] of prompt and continuation
    spoken: Tensor  # log-mel [M, F] of the continuation


def prompt_length(compression: int) -> int:
    """Latent frames of a prompt: PROMPT mel frames, at least one."""
    return -(-PROMPT // compression)


def make_prompt(sample: Sample, frames: Tensor, compression: int) -> Prompt | None:
    """From a clip and its latents [L, C * H]; None where it is too short."""
    start = prompt_length(compression) * compression
    unit = max(UNIT, compression)
    length = min(sample.frames - start, LONGEST) // unit * unit
    if length < unit:
        return None
    stop = start + length
    spoken = sample.mel[:, start:stop].clone()  # not a view, which would keep the whole clip
    return Prompt(sample.name, frames[: stop // compression], spoken)


def continuation_rows(
    prompts: Sequence[Prompt], fitted: Fitted, preset: Preset, context: EvalContext
) -> list[Row]:
    """Both distances to real speech, by condition: what the model goes on with and what others do.

    "no_context" goes on with frames of a Gaussian, "reconstruction" with the clip's own.
    """
    if len(prompts) < FEWEST:
        return failed_rows(
            f"{len(prompts)} held-out clips are long enough to be continued, {FEWEST} needed"
        )
    mels: dict[str, list[Tensor]] = {condition: [] for condition in CONDITIONS}
    ordered = sorted(prompts, key=lambda prompt: (len(prompt.frames), prompt.name))
    for _, alike in groupby(ordered, key=lambda prompt: len(prompt.frames)):
        group = list(alike)
        for condition, frames in continued(group, fitted, preset, context).items():
            mels[condition] += decoded(frames, group, fitted.standardiser, context)
    real = [prompt.spoken for prompt in ordered]
    return [
        Row("", condition, metric, *score(frechet_distance, of(mels[condition]), of(real)))
        for condition in CONDITIONS
        for metric, of in zip(METRICS, (spectra, changes), strict=True)
    ]


def continued(
    group: Sequence[Prompt], fitted: Fitted, preset: Preset, context: EvalContext
) -> dict[str, Tensor]:
    """By condition: standardised frames [N, L, D] of prompts of one length and what follows.

    N is `preset.continuations` times the prompts, or the prompts' number for their own frames.
    """
    spoken = torch.stack([fitted.standardiser.apply(prompt.frames) for prompt in group])
    _, length, dims = spoken.shape
    start = prompt_length(context.model.compression)
    shape = (preset.continuations, length - start, dims)
    noise = torch.cat([noise_of(prompt.name, "continuation", *shape) for prompt in group])
    known = spoken[:, :start].repeat_interleave(preset.continuations, 0)
    return {
        "modelability": continue_frames(fitted.network, known, noise, preset.solver_steps),
        "no_context": torch.cat([known, fitted.gaussian.sample(noise)], 1),
        "reconstruction": spoken,
    }


@torch.no_grad()
def decoded(
    frames: Tensor, group: Sequence[Prompt], standardiser: Standardiser, context: EvalContext
) -> list[Tensor]:
    """Frames [N, L, D] of the prompts to the mels [M, F] of their continuations, in that order."""
    model = context.model
    start = prompt_length(model.compression) * model.compression
    mels = []
    for part in frames.split(AT_ONCE):
        latents = to_latents(standardiser.invert(part), model.latent_bins)
        mels += list(model.decode(latents.to(context.resources.device)).cpu())
    of_each = len(mels) // len(group)
    return [
        mel[:, start : start + group[number // of_each].spoken.shape[1]]
        for number, mel in enumerate(mels)
    ]


def spectra(mels: Sequence[Tensor]) -> Array:
    """Mels [M, F] to log-mel frames [sum of F, M]."""
    frames: Array = torch.cat(list(mels), 1).T.numpy()
    return frames


def changes(mels: Sequence[Tensor]) -> Array:
    """Mels [M, F] to what each frame differs by from the one CHANGE frames before it."""
    return spectra([mel[:, CHANGE:] - mel[:, :-CHANGE] for mel in mels])


def failed_rows(reason: str) -> list[Row]:
    """The same rows where there is nothing to measure."""
    return [Row("", one, metric, math.nan, reason) for one in CONDITIONS for metric in METRICS]
