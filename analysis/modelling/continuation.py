"""What the model of latents continues held-out speech with, compared with what was really said."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from analysis.metrics.frechet import frechet_distance
from analysis.metrics.score import Array, Score, score
from analysis.modelling.data import Standardiser, to_latents
from analysis.modelling.heldout import noise_of
from analysis.modelling.learning import Learned
from analysis.modelling.presets import Preset
from analysis.modelling.sampling import continue_frames
from analysis.subject import Subject
from analysis.table import Row

PROMPT = 128  # mel frames, 1.5 s: a multiple of every compression up to 128x
LENGTH = 160  # mel frames that follow, 1.9 s
CHANGE = 16  # mel frames, 0.19 s, over which the change of a spectrum is taken
AT_ONCE = 64  # continuations decoded together
FEWEST = 4  # clips to be continued
CONDITIONS = ("modelability", "no_context", "reconstruction")
METRICS = ("continuation_frechet", "continuation_change_frechet")


@dataclass(frozen=True)
class Place:
    """Where the continuation lies, in latent frames and in mel frames."""

    prompt: int  # latent frames
    total: int  # latent frames, prompt and continuation
    start: int  # mel frame at which the prompt ends
    stop: int  # mel frame


def place_of(compression: int) -> Place:
    """The same stretch of speech for every compression, where it holds whole latent frames."""
    prompt = -(-PROMPT // compression)
    start = prompt * compression
    stop = start + LENGTH
    return Place(prompt, -(-stop // compression), start, stop)


@dataclass(frozen=True)
class Prompt:
    """A held-out clip that is long enough to be continued."""

    name: str
    frames: Tensor  # standardised latents of prompt and continuation, [total, D]
    real: Tensor  # mel of the continuation as it was spoken, [M, LENGTH]


@torch.no_grad()
def decode_continuations(
    frames: Tensor, standardiser: Standardiser, subject: Subject, place: Place
) -> Tensor:
    """Standardised prompts and continuations [N, total, D] -> the latter's mel [N, M, LENGTH]."""
    mels = []
    for part in frames.split(AT_ONCE):
        latents = to_latents(standardiser.invert(part), subject.model.latent_bins)
        mel = subject.model.decode(latents.to(subject.tools.device), place.stop).cpu()
        mels.append(mel[..., place.start :])
    return torch.cat(mels)


def spectra(mels: Tensor) -> Array:
    """Mels [N, M, F] to log-mel frames [N * F, M]."""
    frames: Array = mels.transpose(1, 2).flatten(0, 1).numpy()
    return frames


def changes(mels: Tensor) -> Array:
    """Mels [N, M, F] to what each frame differs by from the one CHANGE frames before it."""
    return spectra(mels[..., CHANGE:] - mels[..., :-CHANGE])


def distances(mels: Tensor, real: Tensor) -> dict[str, Score]:
    """Both Frechet distances of mels [N, M, F] to real ones [R, M, F], in squared log units."""
    features = zip(METRICS, (spectra, changes), strict=True)
    return {name: score(frechet_distance, of(mels), of(real)) for name, of in features}


def continuation_rows(
    learned: Learned, prompts: Sequence[Prompt], preset: Preset, subject: Subject
) -> list[Row]:
    """Both distances for what the model, the Gaussian and the clips themselves go on with."""
    if len(prompts) < FEWEST:
        reason = f"{len(prompts)} held-out clips are long enough to be continued, not {FEWEST}"
        return failed_rows(reason)
    place = place_of(subject.model.compression)
    spoken = torch.stack([prompt.frames for prompt in prompts])
    real = torch.stack([prompt.real for prompt in prompts])
    shape = (preset.continuations, place.total - place.prompt, spoken.shape[-1])
    noise = torch.cat([noise_of(prompt.name, "continuation", *shape) for prompt in prompts])
    known = spoken[:, : place.prompt].repeat_interleave(preset.continuations, 0)
    frames = {
        "modelability": continue_frames(learned.network, known, noise, preset.solver_steps),
        "no_context": torch.cat([known, learned.gaussian.sample(noise)], 1),
        "reconstruction": spoken,
    }
    rows = []
    for condition in CONDITIONS:
        mels = decode_continuations(frames[condition], learned.standardiser, subject, place)
        for metric, result in distances(mels, real).items():
            rows.append(Row("", condition, metric, *result))
    return rows


def failed_rows(reason: str) -> list[Row]:
    """The same rows where there is nothing to measure."""
    return [Row("", one, metric, math.nan, reason) for one in CONDITIONS for metric in METRICS]
