"""Networks of libraries behind the protocol of codecs."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from dcvae.utils.errors import one_line

INSTALL = "pip install 'dcvae[codecs]'"


@contextmanager
def needed(package: str) -> Iterator[None]:
    """ValueError, which says how to install it, where the package is not there."""
    try:
        yield
    except ImportError as error:
        raise ValueError(f"the package {package} is not installed: {INSTALL}") from error


class LibraryCodec(ABC):
    """A network on its device; waves are mono outside, and as it wants them inside.

    `hop` is in samples a latent frame, `latent_rate` in frames a second.
    """

    codebooks: int | None = None
    bits_per_second: float | None = None
    fills = True  # waves are filled up to whole latent frames: the network does not do so itself

    def __init__(
        self, name: str, model: nn.Module, sample_rate: int, hop: int, channels: int = 1
    ) -> None:
        self.name = name
        self.model: Any = model
        self.sample_rate, self.hop, self.channels = int(sample_rate), hop, channels
        self.latent_rate = sample_rate / hop
        self.device = next(model.parameters()).device

    @torch.no_grad()
    def encode(self, wave: Tensor) -> Tensor:
        """A wave [T] to latents [D, L]; every channel of the network gets it."""
        if self.fills:
            wave = functional.pad(wave, (0, -len(wave) % self.hop))
        values = wave.to(self.device).expand(1, self.channels, -1)
        return self.to_latents(values)[0].cpu()

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Latents [D, L], changed or not, to the mean [T] of the network's channels."""
        return self.to_wave(latents.to(self.device)[None])[0].mean(0).cpu()

    @abstractmethod
    def to_latents(self, values: Tensor) -> Tensor:
        """Waves [1, channels, T] to latents [1, D, L], without noise."""

    @abstractmethod
    def to_wave(self, latents: Tensor) -> Tensor:
        """Latents [1, D, L] to waves [1, channels, T]."""


def load_model(load: Callable[..., Any], folder: str, device: torch.device) -> Any:
    """A network of transformers' or diffusers', in float32 and eval mode on the device.

    `load` is its `from_pretrained`. ValueError where the weights are damaged or do not fit: the
    libraries would fill up with random ones.
    """
    try:
        model, report = load(folder, use_safetensors=True, output_loading_info=True)
    except ImportError:
        raise
    except Exception as error:  # of whatever reads configurations and safetensors
        reason = one_line(error)
        raise ValueError(f"{folder} cannot be loaded: {reason}") from error
    unfit = [*report["missing_keys"], *(one[0] for one in report["mismatched_keys"])]
    if unfit:
        raise ValueError(f"{folder} has no fitting weights for {sorted(unfit)[0]} of its network")
    return model.float().eval().to(device)
