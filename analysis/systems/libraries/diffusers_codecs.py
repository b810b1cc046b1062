"""Audio autoencoders of the library diffusers, by its own classes."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor

from analysis.systems.libraries.checkpoint_folder import find_checkpoint
from analysis.systems.libraries.library_codec import LibraryCodec, load_model, needed

CLASS = "AutoencoderOobleck"
OPTIONS = ("revision", "subfolder")


class Oobleck(LibraryCodec):
    """Stable Audio's autoencoder (Evans et al., 2024): the means of its latents."""

    def __init__(self, name: str, model: Any) -> None:
        rate, channels = model.config.sampling_rate, model.config.audio_channels
        super().__init__(name, model, rate, model.hop_length, channels)

    def to_latents(self, values: Tensor) -> Tensor:
        return self.model.encode(values).latent_dist.mode()

    def to_wave(self, latents: Tensor) -> Tensor:
        return self.model.decode(latents).sample


def load_diffusers_codec(
    place: str, options: Mapping[str, str], name: str, device: torch.device
) -> tuple[LibraryCodec, Mapping[str, str]]:
    """The codec of a folder or of OWNER/NAME on the hub, and its identity with diffusers' version.

    ValueError, in one line, where it cannot be had.
    """
    strange = [option for option in options if option not in OPTIONS]
    if strange:
        raise ValueError(f"there is no option {strange[0]!r}, of {', '.join(OPTIONS)}")
    folder = find_checkpoint(place, options.get("revision"), options.get("subfolder", ""))
    kind = folder.read().get("_class_name")
    if kind != CLASS:
        raise ValueError(f"{folder.path} is no {CLASS}, but {kind!r}")
    with needed("diffusers"):
        from diffusers import AutoencoderOobleck
    model = load_model(AutoencoderOobleck.from_pretrained, str(folder.path), device)
    return Oobleck(name, model), {**folder.identity, "diffusers": version("diffusers")}
