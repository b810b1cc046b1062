"""The published format's JSON: fields of diffusers' AutoencoderDC, for SpeechAutoencoder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dcvae.audio.mel import N_MELS
from dcvae.models.autoencoder import SpeechAutoencoder, check_config
from dcvae.models.pretrained import CheckpointError, read_config

PUBLISHED: dict[str, Any] = {
    "_class_name": "AutoencoderDC",
    "_diffusers_version": "0.32.2",
    "attention_head_dim": 32,  # of blocks with attention alone
    "decoder_act_fns": "silu",
    "decoder_block_out_channels": [128, 256, 512, 512, 1024],
    "decoder_block_types": ["ResBlock"] * 6,  # one too many, which diffusers never looks at
    "decoder_layers_per_block": [3, 3, 3, 3, 3],
    "decoder_norm_types": "rms_norm",
    "decoder_qkv_multiscales": [[], [], [], [], []],
    "downsample_block_type": "Conv",
    "encoder_block_out_channels": [128, 256, 512, 512, 1024],
    "encoder_block_types": ["ResBlock"] * 5,
    "encoder_layers_per_block": [2, 2, 2, 3, 3],
    "encoder_qkv_multiscales": [[], [], [], [], []],
    "in_channels": 1,
    "latent_channels": 16,
    "scaling_factor": None,  # neither encoder nor decoder applies it
    "upsample_block_type": "interpolate",
}
DEFAULTS: dict[str, Any] = {  # of diffusers' AutoencoderDC, as far as they are read here
    "_class_name": "AutoencoderDC",
    "in_channels": 3,
    "latent_channels": 32,
    "encoder_block_types": "ResBlock",
    "decoder_block_types": "ResBlock",
    "encoder_block_out_channels": [128, 256, 512, 512, 1024, 1024],
    "decoder_block_out_channels": [128, 256, 512, 512, 1024, 1024],
    "encoder_layers_per_block": [2, 2, 2, 3, 3, 3],
    "decoder_layers_per_block": [3, 3, 3, 3, 3, 3],
    "upsample_block_type": "pixel_shuffle",
    "downsample_block_type": "pixel_unshuffle",
    "decoder_norm_types": "rms_norm",
    "decoder_act_fns": "silu",
    "encoder_out_shortcut": True,
    "decoder_in_shortcut": True,
    "decoder_conv_act_fn": "relu",
}
FIXED: dict[str, Any] = {
    "_class_name": "AutoencoderDC",
    "in_channels": 1,
    "downsample_block_type": "Conv",
    "upsample_block_type": "interpolate",
    "decoder_conv_act_fn": "relu",
}
FIXED_IN_EVERY_STAGE: dict[str, Any] = {  # stated once, or in a list
    "encoder_block_types": "ResBlock",
    "decoder_block_types": "ResBlock",
    "decoder_norm_types": "rms_norm",
    "decoder_act_fns": "silu",
    "encoder_qkv_multiscales": [],
    "decoder_qkv_multiscales": [],
}
SHORTCUTS = ("encoder_out_shortcut", "decoder_in_shortcut")
MEL_BINS = ("n_mels", "num_mels", "mel_bins", "output_channels", "n_mel_channels")
KNOWN = {*PUBLISHED, *FIXED, *SHORTCUTS, *MEL_BINS, "_name_or_path"}


def read_published_config(path: str | Path | None = None) -> dict[str, Any]:
    """SpeechAutoencoder's arguments from such a JSON; None is the published one.

    Fields that the file does not state have diffusers' defaults. CheckpointError names a field
    whose value SpeechAutoencoder cannot have.
    """
    stated = PUBLISHED if path is None else read_config(Path(path))
    try:
        check_names(stated)
        fields = DEFAULTS | stated
        check_fixed(fields)
        arguments = to_arguments(fields)
        check_config(arguments)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error
    return arguments


def check_names(stated: dict[str, Any]) -> None:
    """Raise ValueError for fields that the autoencoder lacks, and for another mel."""
    for field in MEL_BINS:
        if stated.get(field, N_MELS) != N_MELS:
            raise ValueError(f"{field} is {stated[field]!r}, but the mel here has {N_MELS} bins")
    unknown = [field for field in stated if field not in KNOWN]
    if unknown:
        raise ValueError(f"the autoencoder has no field {some(unknown)}")


def check_fixed(fields: dict[str, Any]) -> None:
    """Raise ValueError where a field has not the one value that SpeechAutoencoder has."""
    for field, only in FIXED.items():
        if type(fields[field]) is not type(only) or fields[field] != only:
            raise ValueError(f"{field} must be {only!r} here, not {fields[field]!r}")
    for field, only in FIXED_IN_EVERY_STAGE.items():
        value = fields.get(field, only)
        if value != only and not (isinstance(value, list) and all(one == only for one in value)):
            raise ValueError(f"{field} must be {only!r} in every stage here, not {value!r}")


def to_arguments(fields: dict[str, Any]) -> dict[str, Any]:
    """SpeechAutoencoder's arguments, its two halves of the same channels."""
    channels = whole_numbers("encoder_block_out_channels", fields["encoder_block_out_channels"], 1)
    if fields["decoder_block_out_channels"] != channels:
        raise ValueError("decoder_block_out_channels must equal encoder_block_out_channels here")
    stages = len(channels)
    for field in FIXED_IN_EVERY_STAGE:
        if isinstance(fields.get(field), list) and len(fields[field]) < stages:
            raise ValueError(f"{field} has {len(fields[field])} entries for {stages} stages")
    encoder_shortcut, decoder_shortcut = (fields[field] for field in SHORTCUTS)
    if not isinstance(encoder_shortcut, bool) or encoder_shortcut is not decoder_shortcut:
        raise ValueError(f"{' and '.join(SHORTCUTS)} must both be true or both be false here")
    encoder_layers, decoder_layers = (
        whole_numbers(field, fields[field], 0)[:stages]
        for field in ("encoder_layers_per_block", "decoder_layers_per_block")
    )
    return {
        "compression": 2 ** (stages - 1),
        "latent_channels": whole_numbers("latent_channels", [fields["latent_channels"]], 1)[0],
        "channels": channels,
        "encoder_layers": encoder_layers,
        "decoder_layers": decoder_layers,
        "latent_shortcut": encoder_shortcut,
        "weight_norm": False,
        "layernorm": True,
        "noise": "uniform",
        "noise_std": 0.5,
        "mel_mean": 0.0,
        "mel_std": 1.0,
    }


def whole_numbers(field: str, value: Any, least: int) -> list[int]:
    """A list of whole numbers from `least` on, or ValueError."""
    if not isinstance(value, list) or any(type(one) is not int or one < least for one in value):
        raise ValueError(f"{field} must be whole numbers from {least} on, not {value!r}")
    return list(value)


def some(names: Sequence[object], limit: int = 3) -> str:
    """The first few names and how many more there are."""
    more = len(names) - limit
    return ", ".join(map(str, names[:limit])) + (f" and {more} more" if more > 0 else "")


def published_config(model: SpeechAutoencoder) -> dict[str, Any]:
    """AutoencoderDC's JSON for a model; ValueError where the format cannot hold it."""
    check_publishable(model)
    stages = model.compression.bit_length()
    channels = list(model.config["channels"][:stages])
    fields = {
        "decoder_block_out_channels": channels,
        "decoder_block_types": ["ResBlock"] * stages,
        "decoder_layers_per_block": list(model.config["decoder_layers"][:stages]),
        "decoder_qkv_multiscales": [[] for _ in channels],
        "encoder_block_out_channels": list(channels),
        "encoder_block_types": ["ResBlock"] * stages,
        "encoder_layers_per_block": list(model.config["encoder_layers"][:stages]),
        "encoder_qkv_multiscales": [[] for _ in channels],
        "latent_channels": model.config["latent_channels"],
    }
    shortcuts = {} if model.config["latent_shortcut"] else dict.fromkeys(SHORTCUTS, False)
    return PUBLISHED | fields | shortcuts


def check_publishable(model: SpeechAutoencoder) -> None:
    """Raise ValueError that names what the published format cannot hold of a model."""
    config = model.config
    for field, held, why in (
        ("layernorm", bool(config["layernorm"]), "its readers always normalise the latents"),
        ("noise", config["noise"] != "kl", "it has no place for the predicted variances"),
        ("mel_mean", config["mel_mean"] == 0, "its readers take the log-mel as it is"),
        ("mel_std", config["mel_std"] == 1, "its readers take the log-mel as it is"),
    ):
        if not held:
            raise ValueError(f"the published format cannot hold {field} = {config[field]!r}: {why}")
