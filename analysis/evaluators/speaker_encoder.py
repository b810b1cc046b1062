"""Voices as vectors: the GE2E speaker encoder of the resemblyzer package."""

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from analysis.metrics.score import Unmeasurable, check_audible
from dcvae.audio.mel import SAMPLE_RATE
from dcvae.utils.threads import torch_threads

Embedding = npt.NDArray[np.float32]

LIBRARY = "Resemblyzer"
INSTALL = "'dcvae[speaker]'"


class VoiceEncoder:
    """Generalised end-to-end speaker verification (Wan et al., 2018; arXiv 1710.10467)."""

    def __init__(self, library: Any, device: torch.device) -> None:
        self.library = library
        self.network = library.VoiceEncoder(device.type, verbose=False)

    def embed(self, wave: Tensor) -> Embedding:
        """Wave [T] at 22,050 Hz to a vector [256] of length 1; Unmeasurable without speech.

        The library resamples to 16 kHz, raises the volume to -30 dBFS and cuts silences out.
        """
        samples = wave.detach().float().cpu().numpy()
        check_audible(samples)
        trimmed = self.library.preprocess_wav(samples.clip(-1.0, 1.0), SAMPLE_RATE)
        if len(trimmed) == 0:
            raise Unmeasurable("the voice detector finds no speech")
        with torch_threads(1):  # a small recurrent network: threads only wait for each other
            embedding: Embedding = self.network.embed_utterance(trimmed)
        if not bool(np.isfinite(embedding).all()):
            raise Unmeasurable("the speaker encoder gave no finite vector")
        return embedding


def load_voice_encoder(device: torch.device) -> VoiceEncoder:
    """The encoder with the weights that ship in its package, read without unpickling."""
    with warnings.catch_warnings():  # its voice detector asks for a module that setuptools retires
        warnings.simplefilter("ignore")
        import resemblyzer

    return VoiceEncoder(resemblyzer, device)
