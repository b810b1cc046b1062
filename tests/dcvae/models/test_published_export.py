"""Export, against diffusers' AutoencoderDC under torch's weight norm: see conftest.py."""

import json

import pytest
import torch

from dcvae import SpeechAutoencoder
from dcvae.models.published_format import export_published, import_published, published_config

pytestmark = pytest.mark.usefixtures("one_thread")

# A filter is divided by its length and multiplied by it again: the root of a sum of up to 9 x 32
# squares, in float32 and in any order. Half's rounding would be 5e-4.
LENGTHS = 1e-5
ARGUMENTS = {
    "channels": [8, 8, 16, 16, 32],
    "encoder_layers": [1, 2, 1, 1, 1],
    "decoder_layers": [1, 1, 2, 1, 1],
}


def ours(**options) -> SpeechAutoencoder:
    torch.manual_seed(1)
    return SpeechAutoencoder(**(ARGUMENTS | options)).eval()


@pytest.mark.parametrize("options", [{}, {"weight_norm": True}, {"latent_shortcut": False}])
def test_the_reference_loads_an_export(published, assert_same, tmp_path, long_mel, options):
    model = ours(noise="none", **options)
    export_published(model, tmp_path / "new" / "a.pt")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.pt"]
    fields = json.loads(json.dumps(published_config(model)))
    expected = published.build(fields, seed=2)
    weights = torch.load(tmp_path / "new" / "a.pt", weights_only=True)
    expected.load_state_dict({key.removeprefix("model."): t for key, t in weights.items()})
    assert_same(model, expected, long_mel[:, :, :33], 1e-4)
    config = published.write_config(tmp_path / "a.json", fields)
    assert_same(import_published(tmp_path / "new" / "a.pt", config), expected, long_mel, 1e-4)


def test_import_export_import_is_exact(tmp_path, files):
    weights, config, _ = files
    once = import_published(weights, config)
    export_published(once, tmp_path / "b.pt")
    twice = import_published(tmp_path / "b.pt", config)
    for name, tensor in once.state_dict().items():
        torch.testing.assert_close(twice.state_dict()[name], tensor, rtol=LENGTHS, atol=0)


def test_gains_and_directions_go_out_unchanged(tmp_path, files):
    """A weight-normed model with the reference's own weights gives the reference's file back."""
    _, _, expected = files
    model = ours(weight_norm=True)
    model.backbone.load_state_dict(expected.state_dict())
    export_published(model, tmp_path / "b.pt")
    written = torch.load(tmp_path / "b.pt", weights_only=True)
    assert written.keys() == {"model." + key for key in expected.state_dict()}
    for key, tensor in expected.state_dict().items():
        assert torch.equal(written["model." + key], tensor)


def test_dead_filters_survive_weight_norm(published, assert_same, tmp_path, long_mel):
    """Filters of zeros, and of lengths whose square float32 cannot hold, where a reader has 0/0."""
    model = ours()
    with torch.no_grad():
        model.backbone.encoder.conv_in.weight[0] = 0
        model.backbone.encoder.conv_in.weight[1] = 1e-30
    export_published(model, tmp_path / "a.pt")
    expected = published.build(published_config(model))
    weights = torch.load(tmp_path / "a.pt", weights_only=True)
    expected.load_state_dict({key.removeprefix("model."): t for key, t in weights.items()})
    torch.testing.assert_close(
        expected.encoder.conv_in.weight, model.backbone.encoder.conv_in.weight, rtol=LENGTHS, atol=0
    )
    config = published.write_config(tmp_path / "a.json", published_config(model))
    loaded = import_published(tmp_path / "a.pt", config)
    assert_same(loaded, expected, long_mel[:, :, :20], 1e-4)
    assert not loaded.backbone.encoder.conv_in.weight[0].any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layernorm": False}, "layernorm = False: "),
        ({"noise": "kl"}, "noise = 'kl': "),
        ({"mel_mean": -5.0}, r"mel_mean = -5\.0: "),
        ({"mel_std": 2.0}, r"mel_std = 2\.0: "),
    ],
)
def test_models_that_the_format_cannot_hold_are_refused(tmp_path, options, message):
    model = ours(**options)
    with pytest.raises(ValueError, match=message):
        export_published(model, tmp_path / "a.pt")
    with pytest.raises(ValueError, match=message):
        published_config(model)
    assert not list(tmp_path.iterdir())


def test_broken_weights_are_not_exported(tmp_path):
    model = ours()
    with torch.no_grad():
        model.backbone.decoder.norm_out.weight[3] = torch.nan
    with pytest.raises(ValueError, match=r"model\.decoder\.norm_out\.weight .* not finite"):
        export_published(model, tmp_path / "a.pt")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_the_old_export(tmp_path, monkeypatch):
    export_published(ours(), tmp_path / "a.pt")
    before = (tmp_path / "a.pt").read_bytes()

    def full(_, path):
        path.write_bytes(before[:100])
        raise RuntimeError("basic_ios::clear: iostream error")

    monkeypatch.setattr("torch.save", full)
    with pytest.raises(OSError, match=r"a\.pt cannot be written"):
        export_published(ours(noise="none"), tmp_path / "a.pt")
    assert (tmp_path / "a.pt").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]
