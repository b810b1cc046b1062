"""From a run's training split to a model of its latents, watched on held-out clips as it learns."""

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from analysis.context import EvalContext
from analysis.latent_lm.data import Standardiser, choose_clips, encode_clips
from analysis.latent_lm.flow_matching import Gaussian
from analysis.latent_lm.heldout import heldout_losses
from analysis.latent_lm.network import LatentTransformer
from analysis.latent_lm.presets import Preset
from analysis.latent_lm.training import train
from analysis.metrics.score import Unmeasurable


@dataclass(frozen=True)
class Fitted:
    """What training gave. Losses are of a frame and a dim."""

    standardiser: Standardiser
    network: LatentTransformer  # at the chosen step
    step: int  # the one with the lowest loss on the validation split; the last without such
    losses: dict[str, float]  # its own, by the held-out clip's name
    curve: dict[int, float]  # the mean loss of the watched clips, by step
    gaussian: Gaussian  # the model without context
    without_context: float  # its mean loss of the watched clips


def fit(held_out: Mapping[str, Tensor], context: EvalContext, preset: Preset) -> Fitted:
    """Train on the training split; Unmeasurable where that cannot be done.

    `held_out` are the frames [L, C * H] of the clips on which it is judged, by their names; the
    first of them are watched.
    """
    if not held_out:
        raise Unmeasurable("no held-out clip can be scored")
    clips = context.manifest
    spoken = encode_clips(choose_clips(clips, "train", preset.speech_hours), context)
    standardiser = Standardiser.fit(spoken)
    for number, frames in enumerate(spoken):  # in place: all training speech is held once
        spoken[number] = standardiser.apply(frames)
    chosen_by = encode_clips(choose_clips(clips, "validation", preset.validation_hours), context)
    validation = {str(i): standardiser.apply(one) for i, one in enumerate(chosen_by)}
    standardised = {name: standardiser.apply(frames) for name, frames in held_out.items()}

    device, rate = context.resources.device, context.model.latent_frames_per_second
    watched = dict(list(standardised.items())[: preset.watched])
    curve, best = {}, math.nan
    for step, network in train(spoken, rate, preset, device):
        curve[step] = mean(heldout_losses(network, watched, preset.times, device))
        loss = mean(heldout_losses(network, validation, preset.times, device))
        if not loss >= best:
            best, chosen, chosen_step = loss, copy.deepcopy(network), step
    losses = heldout_losses(chosen, standardised, preset.times, device)
    gaussian = Gaussian(spoken)
    bare = mean(heldout_losses(gaussian, watched, preset.times, torch.device("cpu")))
    return Fitted(standardiser, chosen, chosen_step, losses, curve, gaussian, bare)


def mean(losses: Mapping[str, float]) -> float:
    """Of the clips that have a finite loss; NaN where none has."""
    finite = [loss for loss in losses.values() if math.isfinite(loss)]
    return sum(finite) / len(finite) if finite else math.nan
