"""The DC-AE backbone as diffusers builds it: how far it reaches, and its plain weights."""

from math import ceil
from typing import Any

from torch import nn
from torch.nn.utils.parametrize import is_parametrized, remove_parametrizations


def reach(config: dict[str, Any]) -> tuple[int, int]:
    """How far, in latent frames, encoder and decoder look to either side of a latent frame.

    The sum over the layers of half a kernel times the stride so far: a ResBlock is two 3x3
    convolutions, every change of resolution one, at its finer side; no norm looks sideways.
    """
    compression: int = config["compression"]
    stages = compression.bit_length()

    def frames(layers: list[int]) -> int:
        blocks = sum(2 * count * 2**stage for stage, count in enumerate(layers[:stages]))
        resampling = sum(2**stage for stage in range(stages - 1))
        outer = 1 if layers[0] else 0  # else the first change of resolution takes its place
        return blocks + resampling + outer + compression  # and one at the latents

    encoder, decoder = (frames(config[f"{side}_layers"]) for side in ("encoder", "decoder"))
    return ceil(encoder / compression), ceil(decoder / compression)


def fold_weight_norm(module: nn.Module) -> None:
    """Put plain weights in the place of gains and directions: the same function, faster."""
    for part in module.modules():
        if is_parametrized(part, "weight"):
            remove_parametrizations(part, "weight")
