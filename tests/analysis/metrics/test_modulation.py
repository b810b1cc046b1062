"""The energy of fast modulations against sinusoids, which have half their squared amplitude."""

import math

import librosa
import numpy as np
import pytest

from analysis.metrics.modulation import band_groups, fast_energy, log_modulation_ratio
from analysis.metrics.score import score

MELS, FRAMES = 80, 256
RATE = 22050 / 256  # frames a second


def waving(amplitudes: dict[int, float]) -> np.ndarray:
    """Log-mel [M, F] of sinusoids by their number of periods in FRAMES, one phase for each band."""
    time = np.arange(FRAMES) / FRAMES
    phase = np.linspace(0, math.pi, MELS)[:, None]
    level = np.linspace(-8, 0, MELS)[:, None]
    waves = [a * np.sin(2 * math.pi * k * time + phase) for k, a in amplitudes.items()]
    return level + sum(waves)


def periods(hertz: float) -> int:
    return round(hertz / RATE * FRAMES)


def test_the_original_keeps_all() -> None:
    mel = np.random.default_rng(0).normal(size=(MELS, FRAMES))
    assert log_modulation_ratio(mel, mel) == 0


@pytest.mark.parametrize("hertz", [11.0, 20.0, 42.0])
def test_half_the_amplitude_is_a_quarter_of_the_energy(hertz: float) -> None:
    fast = periods(hertz)
    original, output = waving({fast: 1.0}), waving({fast: 0.5})
    assert log_modulation_ratio(original, output) == pytest.approx(-math.log(4), rel=1e-9)
    assert log_modulation_ratio(output, original) == pytest.approx(math.log(4), rel=1e-9)


def test_energies_of_several_frequencies_add() -> None:
    original = waving({periods(12): 3.0, periods(30): 4.0})
    output = waving({periods(12): 1.0, periods(30): 2.0})
    expected = math.log((1 + 4) / (9 + 16))
    assert log_modulation_ratio(original, output) == pytest.approx(expected, rel=1e-9)


def test_slow_modulations_and_the_level_do_not_count() -> None:
    """The window blurs a whole number of periods into the bins beside it, and no further."""
    slow, bound = periods(9.4), periods(9.8)
    assert slow + 1 == bound
    assert bound / FRAMES * RATE < 10 < (bound + 1) / FRAMES * RATE
    fast = bound + 2
    original, output = waving({slow: 1.0, fast: 1.0}), waving({slow: 5.0, 1: 3.0, fast: 1.0}) - 2
    assert log_modulation_ratio(original, output) == pytest.approx(0, abs=1e-9)
    twice = waving({fast: math.sqrt(3), fast + 3: 1.0})
    assert log_modulation_ratio(original, twice) == pytest.approx(math.log(4), rel=1e-9)


def test_what_moves_slowly_from_one_end_to_the_other_hardly_counts() -> None:
    """Without a window a drift of 5 nepers has a third of the energy of the wave above 10 Hz."""
    original = waving({periods(20): 0.5})
    drift = 5 * np.arange(FRAMES) / FRAMES
    assert log_modulation_ratio(original, original + drift) == pytest.approx(0, abs=1e-3)


def test_a_group_of_bands_alone_loses_what_its_bands_lose() -> None:
    """Half the amplitude from the 25th band to the 40th, whose centres lie in 1 to 2 kHz."""
    original = waving({periods(20): 1.0, periods(4): 2.0})
    output = original.copy()
    output[24:40] = waving({periods(20): 0.5, periods(4): 2.0})[24:40]
    found = {
        name: log_modulation_ratio(original[group], output[group])
        for name, group in band_groups().items()
    }
    assert found.pop("1000_2000hz") == pytest.approx(-math.log(4), rel=1e-9)
    assert list(found) == ["0_1000hz", "2000_4000hz", "4000_11025hz"]
    assert set(found.values()) == {0.0}


def test_the_groups_hold_every_band_once_by_the_centres_of_librosas_filters() -> None:
    centres = librosa.mel_frequencies(MELS + 2, fmin=0, fmax=11025)[1:-1]
    for name, group in band_groups().items():
        low, high = map(int, name.removesuffix("hz").split("_"))
        assert list(group) == [low <= centre < high for centre in centres]
    assert (sum(band_groups().values()) == 1).all()
    mel = np.random.default_rng(0).normal(size=(MELS, FRAMES))
    parts = [fast_energy(mel[group]) for group in band_groups().values()]
    assert sum(parts) == pytest.approx(fast_energy(mel), rel=1e-12)


def test_averaging_frames_is_the_filters_own_response() -> None:
    """The mean of a frame and its neighbours, round the clip, has the gain (1 + 2 cos w) / 3."""
    fast = periods(20)
    original = waving({fast: 1.0})
    blurred = sum(np.roll(original, shift, axis=1) for shift in (-1, 0, 1)) / 3
    gain = (1 + 2 * math.cos(2 * math.pi * fast / FRAMES)) / 3
    assert log_modulation_ratio(original, blurred) == pytest.approx(2 * math.log(gain), rel=1e-9)


def test_what_cannot_be_measured_has_its_reason() -> None:
    mel = waving({periods(20): 1.0})
    assert score(log_modulation_ratio, mel[:, :43], mel[:, :43]).reason == "shorter than 0.5 s"
    assert not score(log_modulation_ratio, mel[:, :44], mel[:, :44]).reason
    still = np.zeros((MELS, FRAMES))
    still[:40] = 1.0
    for pair, name in (((still, mel), "the original"), ((mel, still), "the output")):
        assert score(log_modulation_ratio, *pair).reason == f"{name} has no modulations above 10 Hz"
    assert score(log_modulation_ratio, np.full_like(mel, -11.5), mel).reason == (
        "the original is silent"
    )
    assert "NaN" in score(log_modulation_ratio, mel, np.full_like(mel, np.nan)).reason
