"""The facade against its parts, and windows against the whole."""

import pytest
import soxr
import torch
from torch.nn import functional

from dcvae import Codec, LogMel, SpeechAutoencoder, load_vocoder, read_audio
from dcvae.utils.threads import torch_threads

SMALL = {
    "channels": [8, 8, 8, 16, 16],
    "encoder_layers": [0, 1, 1, 1, 1],
    "decoder_layers": [0, 1, 1, 1, 1],
    "mel_mean": -5.0,
    "mel_std": 2.2,
}


# Float32 after some 20 convolutions in a row of sums of 9 x 16 products: sqrt(20 x 144) eps is 6e-6
# of values around 1, ten times of which a deep network may make. In the quietest bands of speech
# the front end itself is off by up to 1e-3 where it is taken otherwise, and with it the latents.
ROUNDING = {"rtol": 1e-4, "atol": 1e-4}
ROUNDING_OF_SPEECH = {"rtol": 1e-3, "atol": 1e-3}


@pytest.fixture(autouse=True)
def one_thread():
    with torch_threads(1):
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("model") / "last"
    SpeechAutoencoder(**SMALL).save_pretrained(folder)
    return folder


@pytest.fixture
def codec(folder):
    return Codec.from_pretrained(folder, load_vocoder(iterations=2))


@pytest.fixture(scope="module")
def wave(clips):
    """[1, T] at 22,050 Hz, 13 s of speech."""
    return torch.cat([read_audio(clip.path) for clip in clips])[None, : 13 * 22050 + 5]


def test_encode_is_mel_and_encoder(codec, folder, wave):
    """Zeros fill the wave up to whole latent frames, as the published inference code does."""
    wave = wave[:, :50000]
    mel = LogMel()(functional.pad(wave, (0, -50000 % 4096)))
    with torch.inference_mode():
        expected = SpeechAutoencoder.from_pretrained(folder).encode(mel).clean
    assert expected.shape == (1, 16, 5, 13)
    latents = codec.encode(wave, 22050, flat=False)
    torch.testing.assert_close(latents, expected, **ROUNDING_OF_SPEECH)
    assert torch.equal(codec.encode(wave, 22050), latents.reshape(1, 80, 13))


@torch.inference_mode()
def test_decode_is_decoder_and_vocoder(codec, folder, wave):
    """Each against its own input: Griffin-Lim makes much of rounding."""
    latents = codec.encode(wave[:, :50000], 22050)
    mel = codec.model.decode(latents.reshape(1, 16, 5, 13))
    expected = SpeechAutoencoder.from_pretrained(folder).decode(latents.reshape(1, 16, 5, 13))
    torch.testing.assert_close(mel, expected, **ROUNDING)
    assert torch.equal(codec.decode(latents), load_vocoder(iterations=2)(mel))
    assert torch.equal(codec.decode(latents, 50000), codec.decode(latents)[:, :50000])


def test_windows_equal_the_whole(codec, wave):
    """Latents and mel to rounding; the vocoder is given the same mel, for it amplifies rounding."""
    latents = codec.encode(wave, 22050)
    whole = codec.decode(latents)
    mel = codec.model.decode(codec.unflatten(latents))
    codec.window = 256
    parts = list(codec.encode_blocks([wave], 22050))
    assert len(parts) > 2
    joined = torch.cat(parts, -1).flatten(1, 2)
    torch.testing.assert_close(joined, latents, **ROUNDING_OF_SPEECH)
    codec.vocoder, vocoder = (lambda mel: mel.mean(1).repeat_interleave(256, 1)), codec.vocoder
    codec.vocoder.context = 0
    torch.testing.assert_close(codec.decode(latents)[:, ::256], mel.mean(1), **ROUNDING)
    codec.vocoder = vocoder
    assert codec.decode(latents).shape == whole.shape


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000, 96000, 192000])
@pytest.mark.parametrize("samples", [1, 100, 4001, 30011])
def test_as_many_samples_come_back_at_the_same_rate(codec, wave, rate, samples):
    output = codec.reconstruct(wave[:, :samples].expand(2, -1), rate)
    assert output.shape == (2, samples)
    assert output.isfinite().all()


def test_other_rates_are_resampled(codec, wave):
    at_16k = torch.from_numpy(soxr.resample(wave[0].numpy(), 22050, 16000))[None]
    back = torch.from_numpy(soxr.resample(at_16k[0].numpy(), 16000, 22050))[None]
    resampled, expected = codec.encode(at_16k, 16000), codec.encode(back, 22050)
    torch.testing.assert_close(resampled, expected, **ROUNDING_OF_SPEECH)


def test_a_batch_is_its_waves_one_by_one(codec, speech):
    batch = codec.encode(speech, 22050)
    alone = torch.cat([codec.encode(one[None], 22050) for one in speech])
    torch.testing.assert_close(batch, alone, **ROUNDING_OF_SPEECH)


def test_bfloat16_stays_close(folder, speech):
    full, half = (
        Codec.from_pretrained(folder, dtype=dtype) for dtype in (torch.float32, torch.bfloat16)
    )
    expected, latents = full.encode(speech, 22050), half.encode(speech, 22050)
    assert latents.dtype == torch.float32
    assert (latents - expected).norm() / expected.norm() < 0.02
    assert half.decode(latents).dtype == torch.float32


def test_weight_norm_is_folded_in(tmp_path, speech):
    torch.manual_seed(0)
    model = SpeechAutoencoder(**SMALL, weight_norm=True).eval()
    model.save_pretrained(tmp_path / "normed")
    with torch.inference_mode():
        expected = model.encode(LogMel()(speech)).clean.flatten(1, 2)
    codec = Codec.from_pretrained(tmp_path / "normed")
    assert not any("parametrizations" in name for name in codec.model.state_dict())
    torch.testing.assert_close(codec.encode(speech, 22050), expected, **ROUNDING_OF_SPEECH)


def test_what_is_no_wave_and_what_are_no_latents_is_told(codec):
    good = torch.ones(1, 80, 3)
    for call, words in [
        (lambda: codec.encode(torch.ones(100), 22050), r"\[B, T > 0\], not \[100\]"),
        (lambda: codec.encode(torch.ones(1, 0), 22050), r"not \[1, 0\]"),
        (lambda: codec.encode(torch.ones(1, 9), 0), "sample rate"),
        (lambda: codec.encode(torch.tensor([[float("nan")]]), 22050), "not finite"),
        (lambda: codec.decode(torch.ones(1, 79, 3)), r"\[B, 80, L > 0\]"),
        (lambda: codec.decode(torch.ones(1, 5, 16, 3)), r"\[B, 16, 5, L > 0\]"),
        (lambda: codec.decode(good, 4 * 4096), "12288 samples at 22050 Hz, not to 16384"),
        (lambda: codec.decode(good, 0), "not to 0"),
    ]:
        with pytest.raises(ValueError, match=words):
            call()
