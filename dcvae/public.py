"""What `dcvae` shows to the world, imported together when the first of it is asked for."""

from dcvae.audio.io import read_audio, write_audio
from dcvae.audio.mel import LogMel
from dcvae.inference.codec import Codec
from dcvae.latents import LatentShards
from dcvae.models.autoencoder import Reconstruction, SpeechAutoencoder
from dcvae.models.bottleneck import Latent
from dcvae.vocoders import load_vocoder

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
