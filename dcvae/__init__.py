"""A deep-compression speech autoencoder: the model, its audio and its vocoders.

The names come when they are asked for: what needs only dcvae's errors or locks starts without
torch.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dcvae.public import (
        Codec,
        Latent,
        LatentShards,
        LogMel,
        Reconstruction,
        SpeechAutoencoder,
        load_vocoder,
        read_audio,
        write_audio,
    )

__all__ = [
    "Codec",
    "Latent",
    "LatentShards",
    "LogMel",
    "Reconstruction",
    "SpeechAutoencoder",
    "load_vocoder",
    "read_audio",
    "write_audio",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dcvae import public

    return getattr(public, name)
