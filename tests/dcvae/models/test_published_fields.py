"""AutoencoderDC's JSON to SpeechAutoencoder's arguments and back."""

from inspect import signature

import pytest
import torch
from diffusers import AutoencoderDC

from dcvae import SpeechAutoencoder
from dcvae.models.pretrained import CheckpointError
from dcvae.models.published_fields import DEFAULTS
from dcvae.models.published_format import published_config, read_published_config


def test_published_config_by_hand(published, tmp_path):
    expected = {
        "compression": 16,
        "latent_channels": 16,
        "channels": [128, 256, 512, 512, 1024],
        "encoder_layers": [2, 2, 2, 3, 3],
        "decoder_layers": [3, 3, 3, 3, 3],
        "latent_shortcut": True,
        "weight_norm": False,
        "layernorm": True,
        "noise": "uniform",
        "noise_std": 0.5,
        "mel_mean": 0.0,
        "mel_std": 1.0,
    }
    assert read_published_config() == expected
    path = published.write_config(tmp_path / "a.json", published.full)
    assert read_published_config(path) == expected


def test_fields_that_are_not_stated_are_as_in_diffusers(published, tmp_path):
    stated = {
        "in_channels": 1,
        "downsample_block_type": "Conv",
        "upsample_block_type": "interpolate",
        "latent_channels": 8,
    }
    with torch.device("meta"):
        config = AutoencoderDC(**stated).config
    parameters = signature(AutoencoderDC.__init__).parameters
    for name in DEFAULTS.keys() - {"_class_name"}:
        default = parameters[name].default
        assert DEFAULTS[name] == (list(default) if isinstance(default, tuple) else default), name
    arguments = read_published_config(published.write_config(tmp_path / "a.json", stated))
    assert arguments["compression"] == 32
    assert arguments["latent_channels"] == 8
    assert arguments["channels"] == list(config.encoder_block_out_channels)
    assert arguments["encoder_layers"] == list(config.encoder_layers_per_block)
    assert arguments["decoder_layers"] == list(config.decoder_layers_per_block)
    assert arguments["latent_shortcut"] is config.encoder_out_shortcut
    del stated["upsample_block_type"]
    with pytest.raises(CheckpointError, match="upsample_block_type must be 'interpolate'"):
        read_published_config(published.write_config(tmp_path / "a.json", stated))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("_class_name", "AutoencoderKL"),
        ("in_channels", 3),
        ("in_channels", True),
        ("encoder_block_types", ["ResBlock"] * 4 + ["EfficientViTBlock"]),
        ("decoder_block_types", "EfficientViTBlock"),
        ("decoder_block_types", ["ResBlock"] * 4),
        ("downsample_block_type", "pixel_unshuffle"),
        ("upsample_block_type", "pixel_shuffle"),
        ("encoder_qkv_multiscales", [[], [], [], [5], [5]]),
        ("decoder_norm_types", "batch_norm"),
        ("decoder_act_fns", ["silu", "silu", "relu", "silu", "silu"]),
        ("decoder_conv_act_fn", "silu"),
        ("decoder_block_out_channels", [8, 8, 16, 32, 32]),
        ("encoder_block_out_channels", "wide"),
        ("encoder_block_out_channels", [8, 8, 0, 16, 32]),
        ("encoder_layers_per_block", [1, 1, 1, 1, 1.5]),
        ("decoder_layers_per_block", [1, 1, 1, 1, -1]),
        ("latent_channels", 0),
        ("latent_channels", None),
        ("latent_channels", 5),
        ("encoder_out_shortcut", False),
        ("decoder_in_shortcut", "yes"),
        ("colour", "blue"),
        ("n_mels", 100),
        ("num_mels", 128),
        ("mel_bins", "80"),
        ("output_channels", 1),
        ("n_mel_channels", None),
    ],
)
def test_fields_that_the_autoencoder_cannot_have_are_named(published, tmp_path, field, value):
    path = published.write_config(tmp_path / "a.json", published.small | {field: value})
    with pytest.raises(CheckpointError, match=rf"a\.json: .*{field}") as told:
        read_published_config(path)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("encoder_layers_per_block", "encoder_layers"),
        ("decoder_layers_per_block", "decoder_layers"),
    ],
)
def test_a_middle_stage_without_layers_is_refused(published, tmp_path, field, name):
    fields = published.small | {field: [0, 1, 0, 1, 0]}
    with pytest.raises(CheckpointError, match=rf"{name}\[2\] must be at least 1"):
        read_published_config(published.write_config(tmp_path / "a.json", fields))


def test_usual_names_of_80_mel_bins_are_accepted(published, tmp_path):
    names = ["n_mels", "num_mels", "mel_bins", "output_channels", "n_mel_channels"]
    path = published.write_config(tmp_path / "a.json", published.full | dict.fromkeys(names, 80))
    assert read_published_config(path) == read_published_config()


def test_what_is_no_config_is_told(tmp_path):
    for name, content in (("a", b"{"), ("b", b"[]"), ("c", b"\xff\xfe\x00"), ("d", b"[" * 99999)):
        (tmp_path / name).write_bytes(content)
    for name in ("a", "b", "c", "d", "", "missing"):
        with pytest.raises(CheckpointError, match=r"damaged|a mapping|cannot be read") as told:
            read_published_config(tmp_path / name)
        assert "\n" not in str(told.value)


def test_published_config_states_what_the_file_states(published):
    """Only the sixth block type goes, which nobody reads."""
    with torch.device("meta"):
        model = SpeechAutoencoder()
    expected = published.full | {"decoder_block_types": ["ResBlock"] * 5}
    assert published_config(model) == expected
    with torch.device("meta"):
        model = SpeechAutoencoder(latent_shortcut=False)
    assert published_config(model)["encoder_out_shortcut"] is False
    assert published_config(model)["decoder_in_shortcut"] is False
