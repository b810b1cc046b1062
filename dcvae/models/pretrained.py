"""A checkpoint is one folder that describes itself: config.json and model.safetensors."""

import json
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from dcvae.utils.files import files_sha256, read_json, replacing_folder

CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.safetensors"
CARD_NAME = "README.md"


class CheckpointError(ValueError):
    """A checkpoint folder that is missing, damaged or of another architecture."""


def save_checkpoint(
    folder: str | Path, config: dict[str, Any], state: dict[str, Tensor], card: str | None = None
) -> None:
    """Write the constructor's arguments, the weights and, where there is one, the model card.

    The folder appears whole or not at all.
    """
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    with replacing_folder(folder) as temporary:
        (temporary / CONFIG_NAME).write_text(json.dumps(config, indent=2) + "\n")
        if card is not None:
            (temporary / CARD_NAME).write_text(card, encoding="utf-8")
        try:
            save_file(weights, temporary / WEIGHTS_NAME)
        except SafetensorError as error:  # what a full disk becomes there
            raise OSError(str(error)) from error
        # safetensors lets the owner alone read its file, the umask may let others
        (temporary / WEIGHTS_NAME).chmod((temporary / CONFIG_NAME).stat().st_mode & 0o777)


def load_checkpoint(folder: str | Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read back (config, weights on the CPU); nothing is unpickled."""
    folder = Path(folder)
    for name in (CONFIG_NAME, WEIGHTS_NAME):
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder} is no checkpoint folder: it has no {name}")
    config = read_config(folder / CONFIG_NAME)
    try:
        weights = load_file(folder / WEIGHTS_NAME)
    except SafetensorError as error:
        raise CheckpointError(f"{folder / WEIGHTS_NAME} is damaged: {error}") from error
    return config, weights


def read_config(path: Path) -> dict[str, Any]:
    """The mapping in a JSON file; CheckpointError, which names the file, where there is none."""
    try:
        config = read_json(path)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise CheckpointError(str(error)) from error
    if not isinstance(config, dict):
        raise CheckpointError(f"{path} must hold a mapping, not a {type(config).__name__}")
    return config


def checkpoint_sha256(folder: str | Path) -> str:
    """Of the config and the weights: what a checkpoint is known by."""
    return files_sha256(Path(folder) / CONFIG_NAME, Path(folder) / WEIGHTS_NAME)


def read_torch_weights(path: str | Path) -> dict[str, Any]:
    """The dict in a .pt file of torch.save, on the CPU: tensors and plain containers alone.

    Weights-only: a file that asks for anything else to be built is refused, and nothing of it is
    executed. CheckpointError for a file that is missing, truncated or of another kind.
    """
    path = Path(path)
    if not path.is_file():
        problem = "is a folder, not" if path.is_dir() else "is not there: it should be"
        raise CheckpointError(f"{path} {problem} a file of weights")
    try:
        with warnings.catch_warnings():  # of a file that is refused anyway
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what foreign bytes raise there has no base class of its own
        raise CheckpointError(
            f"{path} is damaged, or it holds more than weights; nothing of it was executed"
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not a dict of weights")
    return content
