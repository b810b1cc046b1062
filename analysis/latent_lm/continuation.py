"""What models of latents continue held-out speech with, as mel and as latents."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from math import ceil

import numpy as np
import torch
from torch import Tensor

from analysis.batching import Sample
from analysis.context import EvalContext
from analysis.latent_lm.data import to_latents
from analysis.latent_lm.fit import Fitted
from analysis.latent_lm.heldout import noise_of
from analysis.latent_lm.presets import Preset
from analysis.latent_lm.sampling import continue_frames
from analysis.latent_lm.training import Weights, restore_network
from analysis.metrics.score import Array
from analysis.systems.system import LatentSystem, Outputs
from dcvae.audio.mel import HOP

PROMPT = 128  # mel frames, 1.5 s: a multiple of every compression up to 128x
LONGEST = 160  # mel frames of a continuation, 1.9 s
UNIT = 32  # mel frames, 0.4 s: a continuation is a multiple of it, so as to suit 32x too
AT_ONCE = 16  # continuations decoded together
STANDARDISED, RAW = "modelability", "modelability_raw"
NO_CONTEXT, OWN = "no_context", "reconstruction"
CONDITIONS = (STANDARDISED, RAW, NO_CONTEXT, OWN)


@dataclass(frozen=True)
class Prompt:
    """A held-out clip up to where its continuation ends: it goes on for as long as was spoken.

    Clips that end early are among them, as among those that the model has learned from.
    """

    name: str
    frames: Tensor  # latents [L, C * H] of prompt and continuation
    mel: Tensor  # log-mel [M, F] of both
    wave: Tensor  # [F * HOP]
    language: str = ""

    @property
    def spoken(self) -> Tensor:
        """Log-mel [M, F - PROMPT] of what was really said."""
        return self.mel[:, PROMPT:]


@dataclass
class Continuations:
    """By condition and draw: decoded mels [M, F] of prompt and continuation, one a prompt.

    Of the first draw the outputs are held, so that they can be heard.
    """

    prompts: list[Prompt]
    mels: dict[str, list[list[Tensor]]] = field(default_factory=dict)
    outputs: dict[str, list[Outputs]] = field(default_factory=dict)

    def spoken(self, condition: str, draw: int) -> list[Tensor]:
        """The continuations alone [M, F - PROMPT]."""
        return [mel[:, PROMPT:] for mel in self.mels[condition][draw]]


def make_prompt(sample: Sample, frames: Tensor, system: LatentSystem) -> Prompt | None:
    """From a clip and its latents [L, C * H]; None where it is too short."""
    unit = max(UNIT, ceil(system.frames_per_latent))
    length = min(sample.frames - PROMPT, LONGEST) // unit * unit
    if length < unit:
        return None
    stop = PROMPT + length
    # not views, which would keep the whole clip
    mel, wave = sample.mel[:, :stop].clone(), sample.wave[: stop * HOP].clone()
    return Prompt(
        sample.name, frames[: system.whole_latent_frames(stop)], mel, wave, sample.clip.language
    )


def continue_prompts(
    prompts: Sequence[Prompt],
    fitted: dict[str, Fitted],
    preset: Preset,
    context: EvalContext,
) -> Continuations:
    """Every prompt continued: one draw of each seed's model, by condition.

    NO_CONTEXT goes on with frames of a Gaussian, OWN with the clip's own latents.
    """
    ordered = sorted(prompts, key=lambda prompt: (len(prompt.frames), prompt.name))
    groups = [list(alike) for _, alike in groupby(ordered, key=lambda one: len(one.frames))]
    found = Continuations(ordered)
    lengths = [group[0].mel.shape[1] for group in groups]
    for condition, draws in drawn(groups, fitted, preset, context).items():
        found.mels[condition] = []
        for groups_of_draw in draws:
            outputs = [
                one
                for frames, length in zip(groups_of_draw, lengths, strict=True)
                for one in decoded(frames, length, context.latent_system)
            ]
            found.outputs.setdefault(condition, outputs)
            found.mels[condition].append([one.mels[0] for one in outputs])
    return found


def drawn(
    groups: Sequence[list[Prompt]], fitted: dict[str, Fitted], preset: Preset, context: EvalContext
) -> dict[str, list[list[Tensor]]]:
    """By condition, draw and group: latent frames [N, L, C * H] of N prompts, continued.

    The prompts of a group are of one length.
    """
    own = [torch.stack([prompt.frames for prompt in group]) for group in groups]
    start = context.latent_system.whole_latent_frames(PROMPT)
    device = context.resources.device
    draws: dict[str, list[list[Tensor]]] = {OWN: [own]}
    for condition, one in fitted.items():
        known = [one.scaling.apply(frames)[:, :start] for frames in own]
        noises = [
            noise_of_group(group, len(one.models), frames.shape[1] - start, one.scaling.dims)
            for group, frames in zip(groups, own, strict=True)
        ]
        jobs = [
            (model.weights, prompts.numpy(), noise[draw].numpy(), preset, device)
            for draw, model in enumerate(one.models)
            for prompts, noise in zip(known, noises, strict=True)
        ]
        frames = iter(context.resources.run_all(continue_arrays, jobs))
        draws[condition] = [
            [one.scaling.invert(torch.from_numpy(next(frames))) for _ in groups] for _ in one.models
        ]
        if condition == STANDARDISED:
            draws[NO_CONTEXT] = [
                [
                    one.scaling.invert(torch.cat([prompts, one.gaussian.sample(noise[draw])], 1))
                    for prompts, noise in zip(known, noises, strict=True)
                ]
                for draw in range(len(one.models))
            ]
    return draws


def continue_arrays(
    weights: Weights, prompts: Array, noise: Array, preset: Preset, device: torch.device
) -> Array:
    """`continue_frames` by a model with these weights, on arrays: one unit of work for the pool."""
    network = restore_network(weights, prompts.shape[-1], preset, device)
    arguments = torch.from_numpy(prompts), torch.from_numpy(noise), preset.solver_steps
    frames: Array = continue_frames(network, *arguments).numpy()
    return frames


def noise_of_group(group: Sequence[Prompt], draws: int, frames: int, dims: int) -> Tensor:
    """Noise [draws, N, frames, dims] that the prompts' names decide."""
    return torch.stack(
        [noise_of(prompt.name, "continuation", draws, frames, dims) for prompt in group], 1
    )


def decoded(frames: Tensor, length: int, system: LatentSystem) -> Iterator[Outputs]:
    """Of latent frames [N, L, C * H] the outputs of `length` mel frames, one for each row."""
    for part in frames.split(AT_ONCE):
        latents = to_latents(part, system.latent_shape[1])
        outputs = system.decode(latents, [length] * len(part))
        yield from map(outputs.one, range(len(part)))


def spectra(mels: Sequence[Tensor]) -> list[Array]:
    """Mels [M, F] to log-mel frames [F, M] each."""
    return [mel.T.numpy() for mel in mels]


def changes(mels: Sequence[Tensor], apart: int) -> list[Array]:
    """Mels [M, F] to what each frame differs by from the one `apart` frames before it."""
    return [(mel[:, apart:] - mel[:, :-apart]).T.numpy().astype(np.float64) for mel in mels]
