"""From a run's training split to a model of its latents, watched on held-out clips as it learns."""

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from analysis.metrics.score import Unmeasurable
from analysis.modelling.data import Standardiser, choose_clips, encode_clips
from analysis.modelling.flow import Gaussian
from analysis.modelling.heldout import heldout_losses
from analysis.modelling.network import LatentTransformer
from analysis.modelling.presets import Preset
from analysis.modelling.training import train
from analysis.subject import Subject
from dcvae.data.manifest import read_manifest


@dataclass(frozen=True)
class Learned:
    """What training gave. Losses are of a frame and a dim."""

    standardiser: Standardiser
    network: LatentTransformer  # at the chosen step
    step: int  # the one with the lowest loss on the validation split; the last without such
    losses: dict[str, float]  # its own, by the held-out clip's name
    curve: dict[int, float]  # the mean loss of the watched clips, by step
    gaussian: Gaussian  # the model without context
    without_context: float  # its mean loss of the watched clips


def learn(held_out: Mapping[str, Tensor], subject: Subject, preset: Preset) -> Learned:
    """Train on the training split; Unmeasurable where that cannot be done.

    `held_out` are the frames [L, C * H] of the clips on which it is judged, by their names; the
    first of them are watched.
    """
    if not held_out:
        raise Unmeasurable("no held-out clip can be judged")
    clips = read_manifest(subject.run.manifest)
    spoken = encode_clips(choose_clips(clips, "train", preset.speech_hours), subject)
    standardiser = Standardiser.fit(spoken)
    for number, frames in enumerate(spoken):  # in place: all training speech is held once
        spoken[number] = standardiser.apply(frames)
    chosen_by = encode_clips(choose_clips(clips, "validation", preset.validation_hours), subject)
    validation = {str(i): standardiser.apply(one) for i, one in enumerate(chosen_by)}
    judged = {name: standardiser.apply(frames) for name, frames in held_out.items()}

    device, rate = subject.tools.device, subject.model.latent_frames_per_second
    watched = dict(list(judged.items())[: preset.watched])
    curve, best = {}, math.nan
    for step, network in train(spoken, rate, preset, device):
        curve[step] = mean(heldout_losses(network, watched, preset.times, device))
        loss = mean(heldout_losses(network, validation, preset.times, device))
        if not loss >= best:
            best, chosen, chosen_step = loss, copy.deepcopy(network), step
    losses = heldout_losses(chosen, judged, preset.times, device)
    gaussian = Gaussian(spoken)
    bare = mean(heldout_losses(gaussian, watched, preset.times, torch.device("cpu")))
    return Learned(standardiser, chosen, chosen_step, losses, curve, gaussian, bare)


def mean(losses: Mapping[str, float]) -> float:
    """Of the clips that have a finite loss; NaN where none has."""
    finite = [loss for loss in losses.values() if math.isfinite(loss)]
    return sum(finite) / len(finite) if finite else math.nan
