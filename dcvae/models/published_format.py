"""Import and export of the published checkpoint format: a flat .pt of weight-normed weights."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dcvae.models.autoencoder import SpeechAutoencoder
from dcvae.models.pretrained import CheckpointError, read_torch_weights
from dcvae.models.published_fields import (
    check_publishable,
    published_config,
    read_published_config,
    some,
)
from dcvae.utils.files import replacing

__all__ = ["export_published", "import_published", "published_config", "read_published_config"]

GAIN = ".parametrizations.weight.original0"  # [out, 1, 1, 1]
DIRECTION = ".parametrizations.weight.original1"  # [out, in, height, width]
SHORTEST = 1e-15  # the square of a shorter filter is lost in float32


@torch.no_grad()
def import_published(weights: str | Path, config: str | Path | None = None) -> SpeechAutoencoder:
    """Read a published .pt, in eval mode on the CPU, its weight norm folded.

    `config` is AutoencoderDC's JSON, by default the published one. Convolutions may also be folded
    already, and floats of any width are taken. CheckpointError says in one line what does not fit.
    """
    arguments = read_published_config(config)
    tensors = read_torch_weights(weights)
    try:
        with torch.device("meta"):  # nothing is allocated before the file has proved to fit
            model = SpeechAutoencoder(**arguments)
    except (RuntimeError, OverflowError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"{config} describes no model that can be ({reason})") from error
    try:
        check_fit(tensors, published_shapes(model.state_dict(), tensors))
        model.to_empty(device="cpu")
        for name, target in model.state_dict().items():
            target.copy_(folded(tensors, published_name(name)))
    except ValueError as error:
        raise CheckpointError(f"{weights}: {error}") from error
    return model.eval()


def export_published(model: SpeechAutoencoder, path: str | Path) -> None:
    """Write a model's weights as the published .pt, in float32; the file appears whole or not.

    Weights without weight norm get one: the weight as direction, its norm as gain. ValueError for
    a model that the format cannot hold; OSError where the file cannot be written.
    """
    check_publishable(model)
    tensors = published_tensors(model)
    with replacing(path) as temporary:
        try:
            torch.save(tensors, temporary)
        except RuntimeError as error:  # what a full disk becomes there
            raise OSError(str(error)) from error


def published_name(name: str) -> str:
    """The key that a weight of SpeechAutoencoder has in the published file."""
    return "model." + name.removeprefix("backbone.")


def normed_names(key: str) -> tuple[str, str]:
    """The keys of the gain and the direction that stand for a convolution's `key`."""
    module = key.removesuffix(".weight")
    return module + GAIN, module + DIRECTION


def published_shapes(state: dict[str, Tensor], keys: Iterable[object]) -> dict[str, list[int]]:
    """The shape of every key that a file must have which has `keys`, some of them folded."""
    keys = set(keys)
    weight_normed = any(str(key).endswith(DIRECTION) for key in keys)
    shapes = {}
    for name, tensor in state.items():
        key = published_name(name)
        if tensor.ndim == 4 and weight_normed and key not in keys:  # no norm's weight has 4 dims
            gain, direction = normed_names(key)
            shapes[gain] = [len(tensor), 1, 1, 1]
            shapes[direction] = list(tensor.shape)
        else:
            shapes[key] = list(tensor.shape)
    return shapes


def check_fit(tensors: dict[str, Any], shapes: dict[str, list[int]]) -> None:
    """Raise ValueError unless the file has these keys in these shapes, all tensors of floats."""
    for key, value in tensors.items():
        dense = isinstance(value, Tensor) and value.layout == torch.strided and value.is_cpu
        if not dense or not value.is_floating_point():
            raise ValueError(f"{key} is no tensor of floating-point numbers")
    misshapen = [
        f"{key} {list(tensors[key].shape)} for {shape}"
        for key, shape in shapes.items()
        if key in tensors and list(tensors[key].shape) != shape
    ]
    found = {
        "it lacks": [key for key in shapes if key not in tensors],
        "it has unknown": [key for key in tensors if key not in shapes],
        "it has other shapes:": misshapen,
    }
    problems = [f"{what} {some(keys)}" for what, keys in found.items() if keys]
    if problems:
        raise ValueError(f"the weights do not fit the config: {'; '.join(problems)}")


def folded(tensors: dict[str, Tensor], key: str) -> Tensor:
    """The weight w = g v / ||v|| (arXiv 1602.07868), or the weight as the file has it; float32."""
    if key in tensors:
        return finite(tensors, key)
    gain, direction = normed_names(key)
    vectors = finite(tensors, direction)
    scale = (finite(tensors, gain) / filter_norm(vectors)).float()
    if not scale.isfinite().all():
        raise ValueError(f"{direction} has a filter of length 0, which has no direction")
    return vectors * scale


def finite(tensors: dict[str, Tensor], key: str) -> Tensor:
    """A tensor in float32 on the CPU; ValueError names the key of one that is not finite there."""
    tensor = tensors[key].detach().cpu().float()
    if not torch.stack(tensor.aminmax()).isfinite().all():  # NaN is its own smallest and largest
        raise ValueError(f"{key} has values that are not finite")
    return tensor


def filter_norm(weight: Tensor) -> Tensor:
    """The length of each filter of [out, in, height, width], as float64 [out, 1, 1, 1]."""
    return torch.linalg.vector_norm(weight, dim=(1, 2, 3), keepdim=True, dtype=torch.float64)


def published_tensors(model: SpeechAutoencoder) -> dict[str, Tensor]:
    """A model's weights under the published keys, on the CPU in float32."""
    state = {published_name(name): tensor for name, tensor in model.backbone.state_dict().items()}
    tensors = {}
    for key in state:
        tensor = finite(state, key).contiguous()
        if tensor.ndim == 4 and key.endswith(".weight"):
            gain, direction = normed_names(key)
            tensors[gain], tensors[direction] = gain_and_direction(tensor)
        else:
            tensors[key] = tensor
    return tensors


def gain_and_direction(weight: Tensor) -> tuple[Tensor, Tensor]:
    """The length of each filter, float32 [out, 1, 1, 1], and the weight itself as direction.

    Filters for which a reader would divide by 0 in float32 get a direction of unit length, and
    filters of zeros get any, since their gain is 0.
    """
    norm = filter_norm(weight)
    if norm.min() < SHORTEST:
        unit = (weight / norm).nan_to_num(nan=1.0).float()
        weight = torch.where(norm < SHORTEST, unit, weight)
    return norm.float(), weight
