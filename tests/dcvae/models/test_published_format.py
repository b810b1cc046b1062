"""Import, against diffusers' AutoencoderDC under torch's weight norm: see conftest.py."""

import re

import pytest
import torch

from dcvae.models.pretrained import CheckpointError
from dcvae.models.published_format import import_published

pytestmark = pytest.mark.usefixtures("one_thread")

CONV_IN = "model.encoder.conv_in.parametrizations.weight.original"


@pytest.mark.parametrize("frames", [1, 15, 16, 17, 250])
def test_import_gives_what_the_reference_gives(assert_same, files, long_mel, frames):
    weights, config, expected = files
    model = import_published(weights, config)
    assert not model.training
    assert not any("parametrizations" in name for name in model.state_dict())
    assert_same(model, expected, long_mel[:, :, 100 : 100 + frames], 1e-4)


@pytest.mark.parametrize(
    "changes",
    [
        {"encoder_out_shortcut": False, "decoder_in_shortcut": False, "latent_channels": 5},
        {"encoder_layers_per_block": [0, 2, 1, 1, 1], "decoder_layers_per_block": [2, 1, 1, 1, 0]},
    ],
)
def test_import_of_other_sizes(published, assert_same, tmp_path, long_mel, changes):
    expected = published.build(published.small | changes)
    config = published.write_config(tmp_path / "a.json", published.small | changes | {"n_mels": 80})
    model = import_published(published.write(tmp_path / "a.pt", expected), config)
    assert_same(model, expected, long_mel[:, :, :40], 1e-4)


def test_import_of_the_published_size(published, assert_same, tmp_path, long_mel):
    """190 million parameters under the default config, a few frames."""
    expected = published.build(published.full)
    weights = published.write(tmp_path / "generator.pt", expected)
    try:
        model = import_published(weights)
    finally:
        weights.unlink()  # 760 MB
    assert model.parameters_count // 1_000_000 == 189
    assert_same(model, expected, long_mel[:, :, 100:117], 1e-4)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_import_of_floats_of_other_widths(assert_same, tmp_path, files, long_mel, dtype):
    _, config, expected = files
    weights = {key: tensor.to(dtype) for key, tensor in expected.state_dict().items()}
    torch.save({"model." + key: tensor for key, tensor in weights.items()}, tmp_path / "b.pt")
    expected.load_state_dict(weights)
    model = import_published(tmp_path / "b.pt", config)
    assert {tensor.dtype for tensor in model.state_dict().values()} == {torch.float32}
    assert_same(model, expected, long_mel[:, :, :20], 1e-4)


def test_import_of_folded_weights(published, assert_same, tmp_path, files, long_mel):
    """Folded by torch itself."""
    _, config, expected = files
    for module in list(expected.modules()):
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.utils.parametrize.remove_parametrizations(module, "weight")
    model = import_published(published.write(tmp_path / "folded.pt", expected), config)
    assert_same(model, expected, long_mel[:, :, :20], 1e-4)
    assert torch.equal(model.backbone.encoder.conv_in.weight, expected.encoder.conv_in.weight)


def test_folding_by_hand(published, tmp_path, files):
    """A filter of 3 and 4 has length 5; with gain 10 it is 6 and 8."""
    _, config, model = files
    direction, gain = torch.ones(8, 1, 3, 3), torch.ones(8, 1, 1, 1)
    direction[2], gain[2] = 0, 10
    direction[2, 0, 0, 0], direction[2, 0, 2, 1] = 3, 4
    changes = {CONV_IN + "0": gain, CONV_IN + "1": direction}
    loaded = import_published(published.write(tmp_path / "b.pt", model, changes), config)
    expected = torch.tensor([[6.0, 0, 0], [0, 0, 0], [0, 8, 0]])
    assert torch.equal(loaded.backbone.encoder.conv_in.weight[2, 0], expected)
    torch.testing.assert_close(
        loaded.backbone.encoder.conv_in.weight[0], torch.full((1, 3, 3), 1 / 3)
    )


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_damaged_files_are_refused_in_one_line_and_not_executed(tmp_path, files):
    weights, config, _ = files
    (tmp_path / "cut.pt").write_bytes(weights.read_bytes()[:3000])
    (tmp_path / "text.pt").write_text("These are no weights.\n")
    torch.save({"model.bias": Bomb(tmp_path / "executed")}, tmp_path / "bomb.pt")
    torch.save([torch.zeros(1)], tmp_path / "list.pt")
    for name in ("cut.pt", "text.pt", "bomb.pt", "list.pt", "nothing.pt", ""):
        with pytest.raises(CheckpointError, match=re.escape(str(tmp_path / name))) as told:
            import_published(tmp_path / name, config)
        assert "\n" not in str(told.value)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({CONV_IN + "1": None}, r"it lacks model\.encoder\.conv_in.*original1$"),
        ({"model.colour": torch.ones(1)}, r"it has unknown model\.colour$"),
        ({CONV_IN + "0": torch.ones(8)}, r"other shapes: .*original0 \[8\] for \[8, 1, 1, 1\]$"),
        ({"model.encoder.conv_in.bias": "blue"}, r"conv_in\.bias is no tensor of floating"),
        ({"model.encoder.conv_in.bias": torch.ones(8).int()}, "no tensor of floating"),
        ({"model.encoder.conv_in.bias": torch.ones(8).to_sparse()}, "no tensor of floating"),
        ({"model.encoder.conv_in.bias": torch.full((8,), torch.nan)}, "bias has values .* finite"),
        ({CONV_IN + "0": torch.full((8, 1, 1, 1), torch.inf)}, "original0 has values .* finite"),
        ({CONV_IN + "1": torch.zeros(8, 1, 3, 3)}, "original1 has a filter of length 0"),
        (
            {"model.encoder.conv_in.weight": torch.ones(8, 1, 3, 3)},
            "unknown .*original0, .*original1$",
        ),
    ],
)
def test_weights_that_do_not_fit_are_named(published, tmp_path, files, changes, message):
    _, config, model = files
    weights = published.write(tmp_path / "b.pt", model, changes)
    with pytest.raises(CheckpointError, match=message) as told:
        import_published(weights, config)
    assert "\n" not in str(told.value)


def test_many_misfits_are_counted(tmp_path, files):
    """The full config has more layers, and other shapes where the layers are the same."""
    weights, _, model = files
    with pytest.raises(CheckpointError, match=r"it lacks .* and \d+ more; .* and \d+ more$"):
        import_published(weights)
    torch.save({"weights": model.state_dict()}, tmp_path / "nested.pt")
    with pytest.raises(CheckpointError, match="weights is no tensor"):
        import_published(tmp_path / "nested.pt")
    torch.save({}, tmp_path / "empty.pt")
    with pytest.raises(CheckpointError, match=r"it lacks .* and \d+ more$"):
        import_published(tmp_path / "empty.pt")


def test_a_preposterous_config_is_told(files, tmp_path, published):
    wide = {"encoder_block_out_channels": [10**30] * 5, "decoder_block_out_channels": [10**30] * 5}
    config = published.write_config(tmp_path / "wide.json", published.small | wide)
    with pytest.raises(CheckpointError, match="channels must be whole numbers") as told:
        import_published(files[0], config)
    assert "\n" not in str(told.value)
