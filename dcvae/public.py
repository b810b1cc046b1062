"""What `dcvae` shows to the world, imported together when the first of it is asked for."""

from dcvae.audio import read_audio, write_audio
from dcvae.autoencoder import Reconstruction, SpeechAutoencoder
from dcvae.bottleneck import Latent
from dcvae.codec import Codec
from dcvae.mel import LogMel
from dcvae.vocoders import load_vocoder

__all__ = [
    "Codec",
    "Latent",
    "LogMel",
    "Reconstruction",
    "SpeechAutoencoder",
    "load_vocoder",
    "read_audio",
    "write_audio",
]
