"""The held-out loss of a model of latents: always the same noise and times, clip by clip."""

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from analysis.latent_lm.data import pad
from analysis.latent_lm.flow_matching import Velocity, flow_error
from analysis.latent_lm.presets import SEED
from dcvae.data.manifest import fixed_hash

CLIPS_AT_ONCE = 32


class LatentModel(Protocol):
    """What gives the velocity of each of the frames [B, L, D] from those before it."""

    def given(self, frames: Tensor) -> Velocity: ...


def noise_of(name: str, purpose: str, *shape: int) -> Tensor:
    """Standard normal noise that the clip's name decides, whatever other clips there are."""
    seed = fixed_hash(f"{SEED} {purpose} {name}")
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def heldout_losses(
    model: LatentModel, sequences: Mapping[str, Tensor], times: int, device: torch.device
) -> dict[str, float]:
    """The flow-matching loss of each clip's standardised frames [L, D], a frame and a dim.

    `times` noises a frame, one in the middle of each of as many equal parts of 0 to 1.
    """
    middles = ((torch.arange(times) + 0.5) / times).view(-1, 1, 1, 1)
    ordered = sorted(sequences, key=lambda name: (len(sequences[name]), name))
    losses: dict[str, float] = {}
    for start in range(0, len(ordered), CLIPS_AT_ONCE):
        names = ordered[start : start + CLIPS_AT_ONCE]
        frames, real = (x.to(device) for x in pad([sequences[name] for name in names]))
        noise = torch.zeros(times, *frames.shape)
        for row, name in enumerate(names):
            shape = times, len(sequences[name]), frames.shape[-1]
            noise[:, row, : shape[1]] = noise_of(name, "loss", *shape)
        moments = middles.expand(*noise.shape[:-1], 1)
        error = flow_error(model.given(frames), frames, noise.to(device), moments.to(device))
        means = (error.mean(0) * real).sum(1) / real.sum(1) / frames.shape[-1]
        losses.update(zip(names, means.tolist(), strict=True))
    return losses
