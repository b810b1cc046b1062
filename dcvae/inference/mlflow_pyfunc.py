"""A codec as model servers want it: arrays in, arrays out. Loaded by name, so nothing is pickled.

`_load_pyfunc` is how MLflow calls a model's loader; nothing here needs MLflow.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from dcvae.audio.mel import SAMPLE_RATE
from dcvae.inference.codec import Codec
from dcvae.vocoders import load_vocoder

CHECKPOINT = "checkpoint"  # the checkpoint's place in a served model's folder
DEFAULTS = {"sample_rate": SAMPLE_RATE, "vocoder": "griffin_lim"}

Array = npt.NDArray[np.float32]


class ServedCodec:
    """A checkpoint, and the vocoder that was asked for last."""

    def __init__(self, folder: Path) -> None:
        """Load a checkpoint folder, onto the GPU where there is one."""
        self.vocoder = DEFAULTS["vocoder"]
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self.codec = Codec.from_pretrained(folder, str(self.vocoder), device=device)

    def predict(
        self, model_input: Mapping[str, Array], params: Mapping[str, Any] | None = None
    ) -> dict[str, Array]:
        """{"audio": [B, T]} to {"audio": [B, T], "latents": [B, C * H, L]}, all float32.

        `params` may name the audio's `sample_rate` in Hz, which is the output's too, and the
        `vocoder`. ValueError for audio of another shape and for a vocoder that is none.
        """
        options = {**DEFAULTS, **(params or {})}
        rate = int(options["sample_rate"])
        self.choose_vocoder(str(options["vocoder"]))
        wave = torch.tensor(model_input["audio"], dtype=torch.float32)
        latents = self.codec.encode(wave, rate, flat=False)
        audio = self.codec.decode(latents, wave.shape[-1], rate)
        return {"audio": audio.cpu().numpy(), "latents": latents.flatten(1, 2).cpu().numpy()}

    def choose_vocoder(self, name: str) -> None:
        """Keep the model and change the vocoder, where another is asked for."""
        if name != self.vocoder:
            self.codec = Codec(self.codec.model, load_vocoder(name), device=self.codec.device)
            self.vocoder = name


def _load_pyfunc(folder: str) -> ServedCodec:
    """What MLflow calls with the folder of a served model."""
    return ServedCodec(Path(folder) / CHECKPOINT)
