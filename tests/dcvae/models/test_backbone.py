import pytest
import torch
from diffusers import AutoencoderDC

from dcvae import SpeechAutoencoder
from dcvae.models.backbone import Backbone, fold_weight_norm, reach

SIZES = [
    {
        "channels": [8, 8, 8, 16, 16],
        "encoder_layers": [0, 1, 1, 1, 1],
        "decoder_layers": [0, 1, 1, 1, 1],
    },
    {
        "channels": [8, 8, 8, 16, 16],
        "encoder_layers": [2, 1, 1, 1, 2],
        "decoder_layers": [1, 1, 2, 1, 1],
    },
    {
        "compression": 8,
        "channels": [8, 8, 8, 16],
        "encoder_layers": [1, 2, 1, 0],
        "decoder_layers": [0, 1, 2, 1],
    },
]


def diffusers_backbone(config: dict) -> AutoencoderDC:
    """Diffusers' model of the same sizes."""
    stages = config["compression"].bit_length()
    channels = tuple(config["channels"][:stages])
    return AutoencoderDC(
        in_channels=1,
        latent_channels=config["latent_channels"],
        encoder_block_out_channels=channels,
        decoder_block_out_channels=channels,
        encoder_layers_per_block=tuple(config["encoder_layers"][:stages]),
        decoder_layers_per_block=tuple(config["decoder_layers"][:stages]),
        encoder_qkv_multiscales=((),) * stages,
        decoder_qkv_multiscales=((),) * stages,
        downsample_block_type="Conv",
        upsample_block_type="interpolate",
        encoder_out_shortcut=config["latent_shortcut"],
        decoder_in_shortcut=config["latent_shortcut"],
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("shortcut", [True, False])
@pytest.mark.parametrize("size", SIZES)
def test_weights_outputs_and_gradients_are_those_of_diffusers(size, shortcut, autocast, dtype):
    """From the same seed, bit for bit: names, values and order of the weights, and what is computed
    of them.
    """
    config = {"compression": 16, "latent_channels": 4, "latent_shortcut": shortcut} | size
    models = []
    for build in (Backbone, diffusers_backbone):
        torch.manual_seed(0)
        models.append(build(config))
    ours, theirs = models
    weights = theirs.state_dict()
    assert list(ours.state_dict()) == list(weights)
    for name, weight in ours.state_dict().items():
        assert torch.equal(weight, weights[name]), name
    mel = torch.randn(2, 1, 80, 32, generator=torch.Generator().manual_seed(1)).to(dtype)
    found = []
    for model in models:
        for name, parameter in model.named_parameters():
            if "norm" in name:  # whose gains and biases begin as ones and zeros
                torch.manual_seed(len(name))
                torch.nn.init.uniform_(parameter, 0.5, 2.0)
        model.to(dtype)
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            latents = model.encoder(mel)
            picture = model.decoder(latents)
        picture.square().sum().backward()
        found.append([latents, picture, *(one.grad for one in model.parameters())])
    for one, expected in zip(*found, strict=True):
        torch.testing.assert_close(one, expected, rtol=0, atol=0)


@pytest.mark.parametrize("size", SIZES)
@torch.no_grad()
def test_reach_is_how_far_a_change_is_seen(size):
    """One frame, then one latent frame, is changed, and the outputs that change are counted."""
    torch.manual_seed(0)
    model = SpeechAutoencoder(**size).double().eval()
    factor, middle = model.compression, 24
    mel = torch.randn(1, 1, 80, factor * 2 * middle, dtype=torch.float64)
    latents = model.backbone.encoder(mel)
    encoder = 0
    for offset in (0, factor - 1):
        changed = mel.clone()
        changed[..., middle * factor + offset] += 1000
        difference = (model.backbone.encoder(changed) - latents).abs().amax((0, 1, 2))
        encoder = max(encoder, int((difference.nonzero() - middle).abs().max()))
    changed = latents.clone()
    changed[..., middle] += 1000
    difference = (model.backbone.decoder(changed) - model.backbone.decoder(latents)).abs()
    frames = difference.amax((0, 1, 2)).nonzero()
    decoder = int((frames // factor - middle).abs().max())
    assert (encoder, decoder) == reach(model.config)


def test_the_published_size_reaches_2_4_and_2_6_seconds():
    config = {
        "compression": 16,
        "encoder_layers": [2, 2, 2, 3, 3],
        "decoder_layers": [3, 3, 3, 3, 3],
    }
    # by hand: 1 + 2 x (2 x 1 + 2 x 2 + 2 x 4 + 3 x 8 + 3 x 16) + (1 + 2 + 4 + 8) + 16 = 204,
    # and 1 + 2 x 3 x (1 + 2 + 4 + 8 + 16) + (1 + 2 + 4 + 8) + 16 = 218 frames
    assert reach(config) == (13, 14)


@torch.no_grad()
def test_folding_weight_norm_changes_no_output():
    torch.manual_seed(0)
    model = SpeechAutoencoder(**SIZES[0], weight_norm=True).double().eval()
    for name, parameter in model.named_parameters():
        if name.endswith("original0"):
            parameter.uniform_(0.5, 2.0)
    mel = torch.randn(1, 80, 64, dtype=torch.float64)
    before = model(mel)
    fold_weight_norm(model)
    after = model(mel)
    assert not any("original" in name for name, _ in model.named_parameters())
    torch.testing.assert_close(after.mel, before.mel)
    torch.testing.assert_close(after.latent.clean, before.latent.clean)
