"""BigVGAN's two published files: where they are, and what is in them."""

import json
from pathlib import Path
from typing import Any

from torch import Tensor

from dcvae.audio.mel import HOP, N_FFT, N_MELS, SAMPLE_RATE
from dcvae.models.pretrained import CheckpointError, read_torch_weights
from dcvae.models.pretrained import read_config as read_json_config

CONFIG_NAME = "config.json"
WEIGHTS_NAME = "bigvgan_generator.pt"
HUB_NAME = "nvidia/bigvgan_v2_22khz_80band_256x"
HUB_SECONDS = 5  # for the hub's first answer
NYQUIST = SAMPLE_RATE / 2
FRONT_END = {
    "sampling_rate": SAMPLE_RATE,
    "n_fft": N_FFT,
    "win_size": N_FFT,
    "hop_size": HOP,
    "num_mels": N_MELS,
    "fmin": 0,
    "fmax": None,
}


def find_files(folder: str | Path | None) -> tuple[Path, Path]:
    """The paths of config and weights: in a folder, or of the published model on the hub.

    ValueError for a folder that has them not, and for a hub that cannot be reached.
    """
    if folder is None:
        return fetch(CONFIG_NAME), fetch(WEIGHTS_NAME)
    folder = Path(folder)
    for name in (CONFIG_NAME, WEIGHTS_NAME):
        if not (folder / name).is_file():
            raise CheckpointError(
                f"{folder} has no {name}: give the folder that holds {CONFIG_NAME} and"
                f" {WEIGHTS_NAME}"
            )
    return folder / CONFIG_NAME, folder / WEIGHTS_NAME


def fetch(name: str) -> Path:
    """A file of the published model, from the hub's cache or else from the hub."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(HUB_NAME, name, local_files_only=True))
    except LocalEntryNotFoundError:
        pass
    try:
        # Asked once: the download itself would ask an absent hub for half a minute.
        get_hf_file_metadata(hf_hub_url(HUB_NAME, name), timeout=HUB_SECONDS)
        return Path(hf_hub_download(HUB_NAME, name))
    except Exception as error:  # of the HTTP library, which differs between the hub's versions
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(
            f"{HUB_NAME} cannot be fetched ({reason}): download its {CONFIG_NAME} and"
            f" {WEIGHTS_NAME} into a folder and give that (load_vocoder's path=FOLDER, dcvae's"
            " --vocoder-path FOLDER, vocoder.path=FOLDER in training)"
        ) from error


def read_config(file: Path) -> dict[str, Any]:
    """The network's configuration; CheckpointError if it is damaged or of another mel."""
    config = read_json_config(file)
    given = {name: config.get(name) for name in FRONT_END}
    if given["fmax"] == NYQUIST:  # what null stands for
        given["fmax"] = None
    differing = [
        f"{name} {json.dumps(given[name])} instead of {json.dumps(value)}"
        for name, value in FRONT_END.items()
        if given[name] != value
    ]
    if differing:
        raise CheckpointError(f"{file} is of another mel than dcvae's: {', '.join(differing)}")
    return config


def read_weights(file: Path) -> dict[str, Tensor]:
    """The generator's weights by name; CheckpointError if the file holds anything else."""
    weights = read_torch_weights(file).get("generator")
    if not isinstance(weights, dict):
        raise CheckpointError(f"{file} has no weights of a generator: take {WEIGHTS_NAME}")
    for name, value in weights.items():
        if not (isinstance(name, str) and isinstance(value, Tensor) and value.is_floating_point()):
            raise CheckpointError(f"{file} is damaged: its {name!r} is no tensor of real numbers")
    return weights
