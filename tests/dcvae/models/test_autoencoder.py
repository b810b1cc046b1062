import json

import pytest
import torch
from diffusers import AutoencoderDC
from safetensors import SafetensorError

from dcvae import LogMel, SpeechAutoencoder
from dcvae.audio.mel import SILENCE
from dcvae.models.pretrained import CheckpointError

SMALL = {
    "channels": [8, 8, 16, 16, 16, 32],
    "encoder_layers": [0, 1, 1, 1, 1, 1],
    "decoder_layers": [0, 1, 1, 1, 1, 1],
}


def small(**options) -> SpeechAutoencoder:
    torch.manual_seed(0)
    return SpeechAutoencoder(**(SMALL | options))


@pytest.mark.parametrize(
    ("compression", "channels", "bins", "floats"),
    [(8, 16, 10, 1722.65625), (16, 16, 5, 430.6640625), (32, 16, 3, 129.19921875)],
)
def test_shapes_and_rates(speech, compression, channels, bins, floats):
    """80 bins pad to 96 for 32x. Rates by hand: 22050 / 256 / compression x channels x bins."""
    model = small(compression=compression).eval()
    mel = LogMel()(speech)[:, :, :61]
    output = model(mel)
    frames = -(-61 // compression)
    assert output.latent.clean.shape == (4, channels, bins, frames)
    assert output.mel.shape == mel.shape
    assert model.decode(output.latent.clean).shape == (4, 80, frames * compression)
    assert model.floats_per_second == pytest.approx(floats)
    assert model.latent_frames_per_second == pytest.approx(22050 / 256 / compression)


def test_is_diffusers_autoencoder_between_the_mel_affine_and_the_norm(speech):
    """The same weights in a plain AutoencoderDC, and the rest written out."""
    model = small(mel_mean=-5.0, mel_std=2.0, noise="none").double().eval()
    reference = AutoencoderDC(
        in_channels=1,
        latent_channels=16,
        encoder_block_out_channels=(8, 8, 16, 16, 16),
        decoder_block_out_channels=(8, 8, 16, 16, 16),
        encoder_layers_per_block=(0, 1, 1, 1, 1),
        decoder_layers_per_block=(0, 1, 1, 1, 1),
        encoder_qkv_multiscales=((), (), (), (), ()),
        decoder_qkv_multiscales=((), (), (), (), ()),
        downsample_block_type="Conv",
        upsample_block_type="interpolate",
    )
    reference.double().eval()
    reference.load_state_dict(model.backbone.state_dict())
    mel = LogMel()(speech).double()
    latent = reference.encode((mel[:, None] + 5) / 2).latent
    latent = torch.nn.functional.layer_norm(latent.movedim(1, 3), (16,)).movedim(3, 1)
    expected = reference.decode(latent).sample[:, 0] * 2 - 5
    output = model(mel)
    # in double precision but for the norms' squares and the latents, which are float32 as ever
    torch.testing.assert_close(output.latent.clean.double(), latent, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(output.mel.double(), expected, rtol=1e-5, atol=1e-5)


def test_published_size_has_189_million_parameters():
    """189.97M before weight norm, of which the published README keeps three digits."""
    with torch.device("meta"):
        assert SpeechAutoencoder().parameters_count // 1_000_000 == 189


def test_padding_is_silence_and_does_not_show(speech):
    """Frames that do not divide by 16 give what explicit silence behind them gives."""
    model = small().eval()
    mel = LogMel()(speech)[:, :, :50]
    padded = torch.nn.functional.pad(mel, (0, 14), value=SILENCE)
    torch.testing.assert_close(model(mel).mel, model(padded).mel[:, :, :50], rtol=0, atol=1e-4)


def test_checkpoint_folder_gives_the_same_model_back(tmp_path, speech):
    model = small(noise="kl", compression=8, latent_channels=4).eval()
    model.save_pretrained(tmp_path / "model")
    assert {file.name for file in (tmp_path / "model").iterdir()} == {
        "README.md",
        "config.json",
        "model.safetensors",
    }
    # whoever may read one of them may read all: safetensors by itself lets the owner alone
    assert len({file.stat().st_mode for file in (tmp_path / "model").iterdir()}) == 1
    loaded = SpeechAutoencoder.from_pretrained(tmp_path / "model")
    mel = LogMel()(speech)
    assert not loaded.training
    torch.testing.assert_close(loaded(mel).mel, model(mel).mel, rtol=0, atol=0)


def test_weight_norm_is_on_every_convolution_and_survives_the_folder(tmp_path, speech):
    model = small(weight_norm=True).eval()
    convolutions = [m for m in model.backbone.modules() if isinstance(m, torch.nn.Conv2d)]
    assert all(torch.nn.utils.parametrize.is_parametrized(m, "weight") for m in convolutions)
    model.save_pretrained(tmp_path)
    mel = LogMel()(speech)
    loaded = SpeechAutoencoder.from_pretrained(tmp_path)
    torch.testing.assert_close(loaded(mel).mel, model(mel).mel, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"compression": 12}, "power of two"),
        ({"compression": 64}, "channels has fewer"),
        ({"latent_channels": 5}, "must divide the deepest stage's 16"),
        ({"channels": [8, 8, 12, 16, 16]}, "4 x 8 must divide by the next stage's 12"),
        ({"mel_std": 0.0}, "mel_std"),
        ({"mel_std": float("nan")}, "mel_std must be a finite number, not nan"),
        ({"mel_mean": "x"}, "mel_mean must be a finite number"),
        ({"latent_channels": 1}, "layernorm takes 2 latent_channels or more"),
        ({"channels": [2**40] * 5}, "channels must be whole numbers up to 65536"),
        ({"channels": [8, 8, 8, 16, [16]]}, "channels must be whole numbers"),
        ({"channels": [0] * 5}, "channels and latent_channels must be 1 or more"),
        ({"encoder_layers": [0, 10**9, 1, 1, 1]}, "encoder_layers must be whole numbers up to"),
        ({"compression": 2.0}, "compression must be whole numbers"),
        ({"layernorm": "no"}, "layernorm must be true or false"),
        ({"encoder_layers": [1, 1, 0, 1, 1]}, r"encoder_layers\[2\] must be at least 1, not 0"),
        ({"decoder_layers": [1, 1, 1, 0, 1]}, r"decoder_layers\[3\] must be at least 1, not 0"),
        ({"decoder_layers": [1, 1, 1, 1, -1]}, "decoder_layers must be whole numbers"),
    ],
)
def test_refuses_sizes_that_it_cannot_have(options, message):
    with pytest.raises(ValueError, match=message):
        small(**options)


def test_first_and_deepest_stages_may_lack_layers(speech):
    """There the resolution changes all the same, so the compression holds."""
    layers = [0, 1, 1, 1, 0]
    model = small(encoder_layers=layers, decoder_layers=layers).eval()
    output = model(LogMel()(speech))
    assert output.latent.clean.shape == (4, 16, 5, 4)
    assert output.mel.shape == (4, 80, 64)


def test_refuses_what_is_no_mel():
    model = small()
    for shape in [(1, 64, 32), (80, 32), (1, 80, 0)]:
        with pytest.raises(ValueError, match="log-mel"):
            model.encode(torch.zeros(shape))


def test_damaged_checkpoints_say_what_is_wrong(tmp_path):
    with pytest.raises(CheckpointError, match=r"has no config\.json"):
        SpeechAutoencoder.from_pretrained(tmp_path / "nothing")
    small().save_pretrained(tmp_path / "model")
    config = tmp_path / "model" / "config.json"
    values = json.loads(config.read_text())
    config.write_text(json.dumps(values | {"channels": [8, 8, 8, 8, 16, 16]}))
    with pytest.raises(CheckpointError, match="other weights than its config"):
        SpeechAutoencoder.from_pretrained(tmp_path / "model")
    config.write_text(json.dumps(values | {"colour": "blue"}))
    with pytest.raises(CheckpointError, match="colour"):
        SpeechAutoencoder.from_pretrained(tmp_path / "model")
    config.write_text(json.dumps(values)[:40])
    with pytest.raises(CheckpointError, match="damaged"):
        SpeechAutoencoder.from_pretrained(tmp_path / "model")
    config.write_text(json.dumps(values))
    weights = tmp_path / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="damaged"):
        SpeechAutoencoder.from_pretrained(tmp_path / "model")


def test_a_full_disk_leaves_the_old_checkpoint_and_names_the_folder(tmp_path, monkeypatch):
    model = small()
    model.save_pretrained(tmp_path / "model")
    before = (tmp_path / "model" / "model.safetensors").read_bytes()

    def full(*_):
        raise SafetensorError("I/O error: No space left on device")

    monkeypatch.setattr("dcvae.models.pretrained.save_file", full)
    with pytest.raises(OSError, match="model cannot be written: I/O error: No space"):
        small(noise="none").save_pretrained(tmp_path / "model")
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize(
    "text", ["[" * 100_000 + "]" * 100_000, '{"channels": ' * 200 + "1", "[1]"]
)
def test_a_config_that_is_none_is_named(tmp_path, text):
    small().save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"config\.json (is damaged|must hold a mapping)"):
        SpeechAutoencoder.from_pretrained(tmp_path)
