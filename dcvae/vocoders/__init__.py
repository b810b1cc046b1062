"""Vocoders: what turns a log-mel back into a wave, behind one small protocol."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from torch import Tensor

from dcvae.vocoders.bigvgan import BigVGAN
from dcvae.vocoders.griffin_lim import GriffinLim

__all__ = ["BigVGAN", "GriffinLim", "Vocoder", "load_vocoder"]


@runtime_checkable
class Vocoder(Protocol):
    """Log-mel [B, M, F] of dcvae.audio.mel to wave [B, F * HOP] at its sample rate.

    A sample depends on no frame further away than `context`, so that long mels can be taken in
    overlapping windows.
    """

    @property
    def context(self) -> int: ...

    def __call__(self, mel: Tensor) -> Tensor: ...


VOCODERS: dict[str, Callable[..., Vocoder]] = {"griffin_lim": GriffinLim, "bigvgan": BigVGAN}


def load_vocoder(name: str = "griffin_lim", **options: object) -> Vocoder:
    """The vocoder of that name, made with `options`.

    Raises ValueError for an unknown name and for an option that the vocoder does not have.
    """
    if name not in VOCODERS:
        raise ValueError(f"no vocoder is named {name!r}: choose one of {', '.join(VOCODERS)}")
    try:
        return VOCODERS[name](**options)
    except TypeError as error:
        raise ValueError(f"vocoder {name}: {error}") from None
