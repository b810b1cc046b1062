import pytest
import torch

from dcvae import Codec, SpeechAutoencoder, load_vocoder
from dcvae.inference.mlflow_pyfunc import CHECKPOINT, _load_pyfunc
from dcvae.vocoders import VOCODERS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.manual_seed(0)
    layers = [0, 1, 1, 1, 1]
    model = SpeechAutoencoder(channels=[8] * 5, encoder_layers=layers, decoder_layers=layers,
                              latent_channels=8)  # fmt: skip
    served = tmp_path_factory.mktemp("served")
    model.save_pretrained(served / CHECKPOINT)
    return served


def test_gives_what_the_codec_gives(folder, speech):
    """At 16 kHz, as if the same samples had been taken more slowly."""
    wave = speech[:2, :16000]
    output = _load_pyfunc(str(folder)).predict({"audio": wave.numpy()}, {"sample_rate": 16000})
    codec = Codec.from_pretrained(folder / CHECKPOINT)
    assert output["audio"].dtype == output["latents"].dtype == "float32"
    assert output["audio"].shape == (2, 16000)
    assert output["latents"].shape == (2, 40, 6)  # 22,050 samples in latent frames of 4,096
    assert torch.equal(torch.tensor(output["latents"]), codec.encode(wave, 16000))
    assert torch.equal(torch.tensor(output["audio"]), codec.reconstruct(wave, 16000))


def test_another_vocoder_is_taken_when_it_is_named(folder, speech, monkeypatch):
    monkeypatch.setitem(VOCODERS, "rough", lambda: load_vocoder("griffin_lim", iterations=1))
    served, audio = _load_pyfunc(str(folder)), {"audio": speech[:1, :8192].numpy()}
    fine, rough = served.predict(audio), served.predict(audio, {"vocoder": "rough"})
    assert (fine["latents"] == rough["latents"]).all()
    assert (fine["audio"] != rough["audio"]).any()
    assert (served.predict(audio)["audio"] == fine["audio"]).all()  # the default is back
    with pytest.raises(ValueError, match="wavenet"):
        served.predict(audio, {"vocoder": "wavenet"})
