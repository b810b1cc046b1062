import pytest
import torch

from dcvae import SpeechAutoencoder
from dcvae.models.backbone import fold_weight_norm, reach

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
        "encoder_layers": [1, 2, 1, 2],
        "decoder_layers": [1, 1, 2, 1],
    },
]


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
