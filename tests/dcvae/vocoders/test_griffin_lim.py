"""Griffin-Lim on real speech: quality, alignment, length; and on what is not speech."""

from pathlib import Path

import numpy as np
import pesq
import pytest
import soxr
import torch
from scipy.signal import correlate

from dcvae import LogMel
from dcvae.audio.io import read_audio
from dcvae.audio.mel import HOP, N_MELS, SAMPLE_RATE, SILENCE
from dcvae.data.manifest import read_manifest
from dcvae.vocoders import GriffinLim, Vocoder, load_vocoder

MANIFEST = Path(__file__).parents[2] / "data" / "manifest.csv"


@pytest.fixture(scope="module")
def clips() -> list[torch.Tensor]:
    """Waves [F * HOP] of the test clips that PESQ can score, 5 s of each at most."""
    waves = [read_audio(clip.path, stop=5.0) for clip in read_manifest(MANIFEST)]
    spoken = [wave[: len(wave) // HOP * HOP] for wave in waves if len(wave) > SAMPLE_RATE]
    return [wave for wave in spoken if wave.abs().max() > 0.01][:12]


@pytest.fixture(scope="module")
def copies(clips: list[torch.Tensor]) -> list[torch.Tensor]:
    """Each clip's mel through the vocoder with its default settings."""
    log_mel, vocoder = LogMel(), load_vocoder()
    return [vocoder(log_mel(wave[None]))[0] for wave in clips]


def test_copy_synthesis_has_the_promised_pesq(
    clips: list[torch.Tensor], copies: list[torch.Tensor]
) -> None:
    scores = []
    for wave, copy in zip(clips, copies, strict=True):
        pair = (soxr.resample(one.numpy(), SAMPLE_RATE, 16000) for one in (wave, copy))
        scores.append(pesq.pesq(16000, *pair, "wb"))
    assert len(scores) >= 4
    assert np.mean(scores) >= 3.2


def envelope(wave: torch.Tensor) -> np.ndarray:
    """Loudness over a hop around each sample, without its mean: phases do not matter."""
    smooth = np.convolve(np.abs(wave.numpy()), np.hanning(HOP), mode="same")
    return smooth - smooth.mean()


def test_output_is_aligned_with_the_wave(
    clips: list[torch.Tensor], copies: list[torch.Tensor]
) -> None:
    for wave, copy in zip(clips, copies, strict=True):
        assert copy.shape == wave.shape
        correlation = correlate(envelope(copy), envelope(wave), method="fft")
        lag = int(np.argmax(correlation)) - (len(wave) - 1)
        assert abs(lag) <= HOP // 8, "a centred front end would be off by half a hop"


def test_an_impulse_comes_back_where_it_was() -> None:
    wave = torch.zeros(1, 40 * HOP)
    place = 17 * HOP + 99
    wave[0, place] = 0.9
    copy = load_vocoder(iterations=200)(LogMel()(wave))[0]
    assert abs(int(copy.abs().argmax()) - place) <= HOP // 2


def test_more_magnitude_iterations_explain_the_mel_better(clips: list[torch.Tensor]) -> None:
    mel = LogMel()(clips[0][None])
    errors = []
    for count in (0, 2, 10):
        vocoder = GriffinLim(magnitude_iterations=count)
        explained = (vocoder.magnitude(mel) @ vocoder.filters.T).transpose(1, 2)
        assert bool((explained >= 0).all())
        loud = mel > SILENCE + 1
        errors.append(float((explained.clamp(min=1e-9).log() - mel)[loud].abs().mean()))
    assert errors[2] < errors[1] < errors[0]
    assert errors[2] < 0.03


@pytest.mark.parametrize("frames", [1, 2, 3, 7, 100])
def test_length_is_exactly_frames_times_hop(frames: int) -> None:
    wave = load_vocoder(iterations=3)(torch.full((2, N_MELS, frames), -4.0))
    assert wave.shape == (2, frames * HOP)
    assert bool(torch.isfinite(wave).all())


def test_silence_in_is_silence_out() -> None:
    silent = LogMel()(torch.zeros(1, 20 * HOP))
    assert float(load_vocoder()(silent).abs().max()) == 0.0


def test_any_finite_mel_gives_a_finite_wave() -> None:
    mel = torch.randn(1, N_MELS, 50, generator=torch.Generator().manual_seed(0)) * 1000
    assert bool(torch.isfinite(load_vocoder(iterations=10)(mel)).all())


# Where bins nearly cancel their phase is rounding alone, and a momentum of .99 carries it on: four
# iterations make 1e5 of it, so that float32 would leave no digit to compare. Of float64's 2e-16
# this leaves 1e-10; what is heard of another clip or frame is 1e-3 or more.
EXACT = {"atol": 1e-8, "rtol": 0.0}


def test_a_clip_does_not_depend_on_its_batch_and_repeats(clips: list[torch.Tensor]) -> None:
    wave = torch.stack([one[: SAMPLE_RATE // HOP * HOP] for one in clips[:3]])
    mel, vocoder = LogMel()(wave).double(), load_vocoder(iterations=4).double()
    together = vocoder(mel)
    assert torch.equal(together, vocoder(mel))
    torch.testing.assert_close(together[1:2], vocoder(mel[1:2]), **EXACT)


@pytest.mark.parametrize("iterations", [0, 4])
def test_no_sample_listens_further_than_context(clips: list[torch.Tensor], iterations: int) -> None:
    """Neither to one frame that changes, nor to all that lies outside a window."""
    mel = LogMel()(clips[0][None, : 100 * HOP]).double()
    vocoder = GriffinLim(iterations=iterations).double()
    frames, size, context = mel.shape[2], 8 * 4, vocoder.context
    whole = vocoder(mel)
    louder = mel.clone()
    louder[..., 50] += 3
    changed = (vocoder(louder) - whole).reshape(frames, HOP).abs().amax(1).nonzero()[:, 0]
    reach = int((changed - 50).abs().max())
    assert reach <= context <= 2 * reach
    pieces = []
    for start in range(0, frames, size):
        left = max(0, start - context)
        wave = vocoder(mel[..., left : start + size + context])
        pieces.append(wave[:, (start - left) * HOP : (start - left + size) * HOP])
    torch.testing.assert_close(torch.cat(pieces, 1), whole, **EXACT)


def test_bfloat16_mel_is_vocoded_in_float32() -> None:
    wave = load_vocoder(iterations=1)(torch.full((1, N_MELS, 5), -4.0, dtype=torch.bfloat16))
    assert wave.dtype == torch.float32


def test_wrong_shapes_and_options_are_named() -> None:
    with pytest.raises(ValueError, match=r"\[B, 80, F\], not \[80, 5\]"):
        load_vocoder()(torch.zeros(80, 5))
    with pytest.raises(ValueError, match=r"momentum < 1, not 1\.5"):
        load_vocoder(momentum=1.5)
    with pytest.raises(ValueError, match=r"no vocoder is named 'wavenet'.*griffin_lim"):
        load_vocoder("wavenet")
    with pytest.raises(ValueError, match=r"vocoder griffin_lim: .*iteratons"):
        load_vocoder(iteratons=3)
    assert isinstance(load_vocoder(), Vocoder)
