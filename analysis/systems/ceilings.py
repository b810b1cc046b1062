"""Vocoders alone as systems: the original mel made a wave. No mel model can do better."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from analysis.batching import Sample
from analysis.systems.autoencoder import vocode
from analysis.systems.system import Rates, System, WaveOutputs
from dcvae.audio.mel import SAMPLE_RATE
from dcvae.vocoders import Vocoder


class VocoderSystem(System):
    """A vocoder on `device`, given each clip's own mel."""

    def __init__(self, vocoder: Vocoder, device: torch.device, identity: Mapping[str, Any]) -> None:
        self.vocoder, self.device, self.identity = vocoder, device, identity
        self.rates = Rates(SAMPLE_RATE)

    def reconstruct(self, samples: Sequence[Sample]) -> WaveOutputs:
        mels = [sample.mel for sample in samples]
        return WaveOutputs(lambda: vocode(mels, self.vocoder, self.device))
