"""BigVGAN v2 (Lee et al., ICLR 2023, and NVIDIA's release of 2024): the neural vocoder.

The network is the one of the package `bigvgan`; weights come from a folder or from the hub.
"""

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Self
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn.utils import remove_weight_norm

from dcvae.audio.mel import HOP, N_MELS
from dcvae.models.pretrained import CheckpointError
from dcvae.utils.errors import one_line
from dcvae.vocoders.bigvgan_files import find_files, read_config, read_weights
from dcvae.vocoders.checks import check_mel

EDGE_KERNEL = 7  # of the first and the last convolution
FILTER_TAPS = 12  # of the low-pass filters around each activation, at twice its rate


class BigVGAN(nn.Module):
    """Log-mel [B, M, F] to wave [B, F * HOP] at 22,050 Hz.

    `path` is a folder with the published config.json and bigvgan_generator.pt; None takes the
    published model from the hub. In float32 on a CPU and in half precision everywhere else,
    wherever it is moved; the wave is float32. On a CPU a clip's wave does not depend on its batch.

    ValueError, in one line, for what is missing, damaged, or made for another mel.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        super().__init__()
        package = import_package()
        config_file, weights_file = find_files(path)
        config = read_config(config_file)
        self.network = build_network(package, config, config_file)
        load_weights(self.network, read_weights(weights_file), weights_file)
        self.context = receptive_field(config)

    @torch.no_grad()
    def forward(self, mel: Tensor) -> Tensor:
        check_mel(mel, "bigvgan")
        dtype = next(self.network.parameters()).dtype
        # A CPU gains nothing from a batch, in which the kernels, and so the rounding, are others.
        at_once = 1 if mel.device.type == "cpu" else len(mel)
        with torch.autocast(mel.device.type, enabled=False):
            waves = [self.network(part.to(dtype))[:, 0].float() for part in mel.split(at_once)]
        return torch.cat(waves)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Whatever moves or casts a module ends here: the device decides on the precision."""
        super()._apply(fn, recurse)
        on_cpu = next(self.network.parameters()).device.type == "cpu"
        self.network.to(torch.float32 if on_cpu else torch.float16)
        return self


def import_package() -> ModuleType:
    """The package `bigvgan`; ValueError that says how to get it where it is missing."""
    try:
        import matplotlib

        with mock.patch.object(matplotlib, "use"):  # the backend stays the user's choice
            import bigvgan
    except ImportError as error:
        raise ValueError(
            f"the vocoder bigvgan needs a package ({error}): pip install 'dcvae[bigvgan]'"
        ) from error
    return bigvgan


def build_network(package: ModuleType, config: dict[str, Any], file: Path) -> nn.Module:
    """The generator [B, M, F] -> [B, 1, F * HOP] with its shapes and no values, in eval mode.

    Without values it takes no memory and leaves torch's random numbers where they were.
    """
    try:
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # weight_norm has a successor
            network = package.BigVGAN(package.env.AttrDict(config)).eval()
            samples = network(torch.empty(1, N_MELS, 2)).shape[-1]
    except Exception as error:  # a configuration can be wrong in any way
        reason = one_line(error)
        raise CheckpointError(f"{file} describes no BigVGAN: {reason}") from error
    if samples != 2 * HOP:
        raise CheckpointError(
            f"{file} makes {samples // 2} samples of a frame, not {HOP}: its upsample_rates are"
            f" {config['upsample_rates']}"
        )
    return network


def load_weights(network: nn.Module, weights: dict[str, Tensor], file: Path) -> None:
    """Give the network its values, with weight norm in the file or without, and fold it in.

    CheckpointError that names a weight that is missing, unknown or of another shape.
    """
    normed = any(name.endswith(".weight_g") for name in weights)
    if not normed:
        fold_weight_norm(network)
    expected = {name: list(value.shape) for name, value in network.state_dict().items()}
    given = {name: list(value.shape) for name, value in weights.items()}
    wrong = [name for name in expected | given if expected.get(name) != given.get(name)]
    if wrong:
        name = wrong[0]
        more = f", and {len(wrong) - 1} more differ" if len(wrong) > 1 else ""
        raise CheckpointError(
            f"{file} does not fit its config.json: {name} is {given.get(name, 'missing')} instead"
            f" of {expected.get(name, 'absent')}{more}"
        )
    network.load_state_dict(weights, assign=True)
    network.float()
    if normed:
        fold_weight_norm(network)
    network.requires_grad_(False)


def fold_weight_norm(network: nn.Module) -> None:
    """Make plain weights of gains and directions, which costs nothing at each use."""
    for module in network.modules():
        if hasattr(module, "weight_g"):
            remove_weight_norm(module)


def receptive_field(config: dict[str, Any]) -> int:
    """How many frames away from its own a sample still listens, on the farther side.

    The samples of frame 0 are followed through the network from its end to its start.
    """
    anti_aliasing = (FILTER_TAPS - 1) // 2  # up and down again, in samples of the activation
    kernels = config["resblock_kernel_sizes"]
    twice = config["resblock"] == "1"  # its second convolutions are not dilated
    blocks = [
        sum(
            anti_aliasing + (size - 1) * dilation // 2 + twice * (anti_aliasing + size // 2)
            for dilation in dilations
        )
        for size, dilations in zip(kernels, config["resblock_dilation_sizes"], strict=False)
    ]
    first, last = 0, HOP - 1
    reach = EDGE_KERNEL // 2 + anti_aliasing
    stages = list(zip(config["upsample_rates"], config["upsample_kernel_sizes"], strict=False))
    for rate, kernel in reversed(stages):
        reach += max(blocks)
        padding = (kernel - rate) // 2
        first = math.ceil((first - reach + padding - (kernel - 1)) / rate)
        last = math.floor((last + reach + padding) / rate)
        reach = 0
    return max(-first, last) + EDGE_KERNEL // 2
