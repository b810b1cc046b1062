"""From a run's training split to models of its latents, watched on held-out clips as they learn."""

import copy
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from analysis.context import EvalContext
from analysis.latent_lm.data import Scaling, choose_clips, encode_clips
from analysis.latent_lm.flow_matching import Gaussian
from analysis.latent_lm.heldout import heldout_losses
from analysis.latent_lm.network import LatentTransformer
from analysis.latent_lm.presets import Preset
from analysis.latent_lm.training import (
    Weights,
    count_flops,
    restore_network,
    train,
    weights_of,
)
from analysis.metrics.score import Unmeasurable
from analysis.resources import Resources

Sequences = dict[str, Tensor]  # frames [L, D] by the clip's name


@dataclass(frozen=True)
class Frames:
    """The latents of a run, as frames [L, C * H] of each clip."""

    train: list[Tensor]
    validation: Sequences
    held_out: Sequences
    per_second: float

    def scaled(self, scaling: Scaling) -> "Frames":
        """The same, each dim scaled."""
        return self.each(scaling.apply)

    def each(self, change: Callable[[Any], Any]) -> "Frames":
        """The same with every clip's frames changed."""
        return Frames(
            list(map(change, self.train)),
            {name: change(frames) for name, frames in self.validation.items()},
            {name: change(frames) for name, frames in self.held_out.items()},
            self.per_second,
        )


def encode_splits(held_out: Sequences, context: EvalContext, preset: Preset) -> Frames:
    """What is trained on and what chooses the step, beside the clips that are judged.

    Unmeasurable where there is no such clip.
    """
    if not held_out:
        raise Unmeasurable("no held-out clip can be scored")
    clips = context.manifest
    spoken = encode_clips(choose_clips(clips, "train", preset.speech_hours), context)
    chosen_by = encode_clips(choose_clips(clips, "validation", preset.validation_hours), context)
    validation = {str(number): frames for number, frames in enumerate(chosen_by)}
    return Frames(spoken, validation, held_out, context.latent_system.latent_rate)


@dataclass
class Trained:
    """The model of one seed. Losses are of a frame and a dim."""

    weights: Weights  # at the chosen step
    step: int  # the one with the lowest loss on the validation split; the last without such
    losses: dict[str, float]  # its own, by the held-out clip's name
    curve: dict[int, float]  # the mean loss of the watched clips, by step
    snapshots: dict[int, Weights]  # at the steps whose frames are decoded
    seconds: float  # of all training steps on this machine


@dataclass(frozen=True)
class Fitted:
    """The models of all seeds in one scaling of the space, and the one without context."""

    scaling: Scaling
    gaussian: Gaussian
    bare: dict[str, float]  # the Gaussian's loss of a frame and a dim, by the held-out clip's name
    models: list[Trained]
    snapshots: dict[int, LatentTransformer]  # the first one's, by step
    flops: float  # of a training step, floating-point operations
    seconds: float  # of a training step on this machine, on one thread of a CPU

    @classmethod
    def of(
        cls,
        scaling: Scaling,
        frames: Frames,
        models: list[Trained],
        preset: Preset,
        device: torch.device,
    ) -> "Fitted":
        """From models of scaled frames."""
        gaussian = Gaussian(frames.train)
        bare = heldout_losses(gaussian, frames.held_out, preset.times, torch.device("cpu"))
        restore = partial(restore_network, dims=scaling.dims, preset=preset, device=device)
        snapshots = {step: restore(weights) for step, weights in models[0].snapshots.items()}
        flops = count_flops(restore(models[0].weights), frames.per_second, preset)
        seconds = fmean(one.seconds for one in models) / preset.steps
        return cls(scaling, gaussian, bare, models, snapshots, flops, seconds)

    @property
    def losses(self) -> dict[str, float]:
        """By the held-out clip's name, the mean over the seeds."""
        return {name: fmean(one.losses[name] for one in self.models) for name in self.bare}

    @property
    def gains(self) -> dict[str, float]:
        """By the held-out clip's name, the share of the Gaussian's loss that context saves."""
        return {name: 1 - loss / self.bare[name] for name, loss in self.losses.items()}

    def curve(self, watched: Sequence[str]) -> dict[int, tuple[float, float]]:
        """By step the mean loss of the watched clips, and the share of the Gaussian's it saves."""
        bare = mean({name: self.bare[name] for name in watched})
        steps = self.models[0].curve
        losses = {step: fmean(one.curve[step] for one in self.models) for step in steps}
        return {step: (loss, 1 - loss / bare) for step, loss in losses.items()}


def fit(
    frames: Frames, scalings: Mapping[str, Scaling], preset: Preset, resources: Resources
) -> dict[str, Fitted]:
    """One model a scaling and seed, by the scaling's name; Unmeasurable where none can be trained.

    On a CPU they are trained side by side in the pool, one thread each: the models are small.
    """
    scaled = {name: frames.scaled(scaling) for name, scaling in scalings.items()}
    asked = [(name, seed) for name in scalings for seed in preset.seeds]
    device = resources.device
    arrays = {name: one.each(Tensor.numpy) for name, one in scaled.items()}
    trained = resources.run_all(
        fit_seed, [(arrays[name], seed, preset, device) for name, seed in asked]
    )
    models = dict(zip(asked, trained, strict=True))
    return {
        name: Fitted.of(
            scaling, scaled[name], [models[name, seed] for seed in preset.seeds], preset, device
        )
        for name, scaling in scalings.items()
    }


def fit_seed(frames: Frames, seed: int, preset: Preset, device: torch.device) -> Trained:
    """The model of one seed on scaled frames; of the first, weights of the decoded steps too.

    Frames come and weights go as arrays: through the pool's pipe each tensor would take a file
    descriptor of its own.
    """
    frames = frames.each(torch.from_numpy)
    kept = preset.decoded if seed == preset.seeds[0] else ()
    watched = dict(list(frames.held_out.items())[: preset.watched])
    curve, snapshots, best, seconds = {}, {}, math.nan, 0.0
    started = time.perf_counter()
    for step, network in train(frames.train, frames.per_second, seed, preset, device):
        seconds += time.perf_counter() - started
        curve[step] = mean(heldout_losses(network, watched, preset.times, device))
        loss = mean(heldout_losses(network, frames.validation, preset.times, device))
        if not loss >= best:
            best, chosen, chosen_step = loss, copy.deepcopy(network), step
        if step in kept:
            snapshots[step] = weights_of(network)
        started = time.perf_counter()
    losses = heldout_losses(chosen, frames.held_out, preset.times, device)
    return Trained(weights_of(chosen), chosen_step, losses, curve, snapshots, seconds)


def mean(losses: Mapping[str, float]) -> float:
    """Of the clips that have a finite loss; NaN where none has."""
    finite = [loss for loss in losses.values() if math.isfinite(loss)]
    return sum(finite) / len(finite) if finite else math.nan
