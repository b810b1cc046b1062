import numpy as np
import pytest
import torch
from torch import nn

from dcvae import SpeechAutoencoder
from experiments.tracking.tracker import Tracker
from experiments.training.validation import Validation


class Vocoder(nn.Linear):
    context = 0


def test_a_vocoder_of_modules_goes_where_the_mel_is(clips, speech, tmp_path):
    vocoder = Vocoder(2, 2)
    one = Validation(
        waves=[(clips[0], speech[0])],
        examples=1,
        vocoder=vocoder,
        run_dir=tmp_path,
        device=torch.device("meta"),
    )
    assert vocoder.weight.device == one.clips[0][1].device == torch.device("meta")


@pytest.mark.parametrize("layernorm", [True, False])
def test_the_rms_of_the_latents_is_over_all_frames_of_all_clips(
    layernorm: bool, clips, speech, tmp_path
):
    """Of clips of unlike lengths, so that no mean over clips passes for it; LayerNorm's is 1."""
    torch.manual_seed(0)
    layers = {"encoder_layers": (1,) * 5, "decoder_layers": (1,) * 5}
    model = SpeechAutoencoder(channels=(8,) * 5, latent_channels=8, layernorm=layernorm, **layers)
    waves = [(clips[0], speech[0]), (clips[1], speech[1][:5000])]
    vocoder, device = nn.Identity(), torch.device("cpu")
    one = Validation(waves=waves, examples=0, vocoder=vocoder, run_dir=tmp_path, device=device)
    found = one.run(model, 0, Tracker(None))["validation/latent_rms"]
    with torch.inference_mode():
        latents = [model.eval().encode(mel).clean.double().numpy().ravel() for _, mel in one.clips]
    expected = np.sqrt(np.mean(np.square(np.concatenate(latents))))
    assert found == pytest.approx(expected, rel=1e-6)  # float32's sum of 1e4 squares, by halves
    assert found == pytest.approx(1, rel=1e-3) or not layernorm
    by_clip = np.mean([np.sqrt(np.mean(np.square(one))) for one in latents])
    assert layernorm or abs(by_clip / expected - 1) > 1e-3
