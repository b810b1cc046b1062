"""Whisper's weights in CTranslate2's layout as openai-whisper's own module, every key matched."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from analysis.asr.ctranslate2 import Array, read_ctranslate2
from dcvae.utils.errors import one_line

if TYPE_CHECKING:
    from whisper.model import ModelDimensions, Whisper

SPECIFICATION = "WhisperSpec"
PARTS = {  # of a layer; CTranslate2 stacks what is projected from the same input
    "self_attention/linear_0": ("attn.query", "attn.key", "attn.value"),
    "self_attention/linear_1": ("attn.out",),
    "self_attention/layer_norm": ("attn_ln",),
    "attention/linear_0": ("cross_attn.query",),
    "attention/linear_1": ("cross_attn.key", "cross_attn.value"),
    "attention/linear_2": ("cross_attn.out",),
    "attention/layer_norm": ("cross_attn_ln",),
    "ffn/linear_0": ("mlp.0",),
    "ffn/linear_1": ("mlp.2",),
    "ffn/layer_norm": ("mlp_ln",),
}
OTHERS = {  # outside the layers
    "encoder/layer_norm": "encoder.ln_post",
    "decoder/layer_norm": "decoder.ln",
    "encoder/position_encodings/encodings": "encoder.positional_embedding",
    "decoder/position_encodings/encodings": "decoder.positional_embedding",
    "decoder/embeddings": "decoder.token_embedding",
}
TIED = "decoder/projection/weight"  # the same as decoder/embeddings/weight
LEAVES = {"gamma": "weight", "beta": "bias"}


def read_whisper(*parts: Path) -> "Whisper":
    """A Whisper from a model.bin, which may lie in several parts, in float32 on the CPU.

    ValueError (one line that names the first file) where it is damaged, holds another model, or
    lacks or exceeds what that Whisper has.
    """
    from whisper.model import Whisper

    path = parts[0]
    specification, variables = read_ctranslate2(*parts)
    if specification != SPECIFICATION:
        raise ValueError(f"{path} holds no Whisper: its specification is {specification!r}")
    try:
        model = Whisper(dimensions(variables))
        weights = rename(variables)
        expected = set(model.state_dict())
        for problem, keys in (("lacks", expected - set(weights)), ("has", set(weights) - expected)):
            if keys:
                raise ValueError(f"it {problem} {', '.join(sorted(keys)[:4])} ({len(keys)} keys)")
        model.load_state_dict(weights)
    except KeyError as error:
        raise ValueError(f"{path} does not fit Whisper: it lacks {error.args[0]}") from error
    except (ValueError, RuntimeError) as error:
        reason = one_line(error)
        raise ValueError(f"{path} does not fit Whisper: {reason}") from error
    return model.eval()


def dimensions(variables: Mapping[str, Array]) -> "ModelDimensions":
    """The model's sizes, from the shapes of its arrays."""
    from whisper.model import ModelDimensions

    audio_context, audio_width = variables["encoder/position_encodings/encodings"].shape
    text_context, text_width = variables["decoder/position_encodings/encodings"].shape
    layers = {
        house: len({name.split("/")[1] for name in variables if name.startswith(f"{house}/layer_")})
        for house in ("encoder", "decoder")
    }
    return ModelDimensions(
        n_mels=variables["encoder/conv1/weight"].shape[1],
        n_audio_ctx=audio_context,
        n_audio_state=audio_width,
        n_audio_head=int(variables["encoder/num_heads"]),
        n_audio_layer=layers["encoder"] - 1,  # its last norm is named layer_norm
        n_vocab=variables["decoder/embeddings/weight"].shape[0],
        n_text_ctx=text_context,
        n_text_state=text_width,
        n_text_head=int(variables["decoder/num_heads"]),
        n_text_layer=layers["decoder"] - 1,
    )


def rename(variables: Mapping[str, Array]) -> dict[str, Tensor]:
    """The weights under openai-whisper's names, stacked projections taken apart.

    Arrays of rank 0 are settings, such as the kind of activation, and no weights.
    """
    weights = {}
    for name, array in variables.items():
        if array.ndim == 0 or name == TIED:
            continue
        targets = whisper_names(name)
        parts = torch.from_numpy(array.astype("float32")).chunk(len(targets))
        if len(parts) != len(targets):
            raise ValueError(f"{name} cannot be split in {len(targets)}")
        for target, part in zip(targets, parts, strict=True):
            if not target.endswith("key.bias"):
                weights[target] = part
            elif part.any():
                raise ValueError(f"{name} gives the keys a bias, which Whisper's have not")
    return weights


def whisper_names(name: str) -> list[str]:
    """What openai-whisper calls a variable, or the parts of one that are stacked."""
    module, _, leaf = name.rpartition("/")
    if name in OTHERS:
        return [OTHERS[name]]
    if module in OTHERS:
        return [f"{OTHERS[module]}.{LEAVES.get(leaf, leaf)}"]
    house, _, inner = module.partition("/")
    layer, _, part = inner.partition("/")
    if part in PARTS and layer.startswith("layer_"):
        block = f"{house}.blocks.{layer.removeprefix('layer_')}"
        return [f"{block}.{target}.{LEAVES.get(leaf, leaf)}" for target in PARTS[part]]
    return [name.replace("/", ".")]
