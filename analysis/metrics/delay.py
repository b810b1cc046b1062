"""How late an output is, and the pair without that delay."""

import numpy as np
import numpy.typing as npt

from analysis.metrics.score import Array
from analysis.metrics.waves import Waves

MOST = 0.05  # seconds: a longer delay is not searched for
LEAST = (
    0.001  # seconds: less is no delay to metrics of 25 ms frames, and within the estimate's error
)
WINDOW = 0.0256  # seconds, as STOI's frames
HOP = 0.004  # seconds
BANDS = 15  # of equal width in octaves
LOWEST = 150.0  # Hz, where the first band begins


def estimate_delay(reference: Array, degraded: Array, sample_rate: int) -> int:
    """By how many samples `degraded` [T] is late against `reference` [T]; negative if early.

    The peak of the cross-correlation of band envelopes, summed over the bands, with a parabola
    through it to look between the hops. Not of the waves: a vocoder makes up its own phases, and
    the waves' correlation then peaks at any multiple of the pitch period. Within MOST either way;
    0 for less than LEAST and where nothing correlates.
    """
    first, second = (envelopes(wave, sample_rate) for wave in (reference, degraded))
    reach = round(MOST / HOP)
    size = 2 * first.shape[1] + reach  # long enough that the correlation does not wrap around
    spectrum = np.fft.rfft(second, size) * np.conj(np.fft.rfft(first, size))
    circular = np.fft.irfft(spectrum.sum(0), size)
    correlation = np.concatenate([circular[-reach:], circular[: reach + 1]])
    peak = int(np.argmax(correlation))
    if not correlation[peak] > correlation[reach]:
        peak = reach
    hops = peak - reach + between(correlation[max(0, peak - 1) : peak + 2])
    seconds = hops * round(HOP * sample_rate) / sample_rate
    return round(seconds * sample_rate) if abs(seconds) >= LEAST else 0


def envelopes(wave: Array, sample_rate: int) -> npt.NDArray[np.float64]:
    """Square roots of the magnitudes in each band over time, [BANDS, frames], of zero mean.

    The root keeps the loudest syllable from deciding alone.
    """
    window, hop = round(WINDOW * sample_rate), round(HOP * sample_rate)
    padded = np.pad(wave.astype(np.float64), window // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(window))) ** 2  # [frames, bins]
    edges = np.geomspace(LOWEST, sample_rate / 2, BANDS + 1)[:-1] * window / sample_rate
    starts = np.unique(np.round(edges).astype(int))
    roots = np.add.reduceat(power, starts, axis=1).T ** 0.25
    centred: npt.NDArray[np.float64] = roots - roots.mean(1, keepdims=True)
    return centred


def between(three: npt.NDArray[np.float64]) -> float:
    """Where the parabola through three equidistant values has its top, from the middle one."""
    if len(three) < 3:
        return 0.0
    left, middle, right = map(float, three)
    curvature = left - 2 * middle + right
    return (left - right) / (2 * curvature) if curvature < 0 else 0.0


def without_delay(reference: Array, degraded: Array, delay: int) -> Waves:
    """What both [T] have in common once `degraded` is moved `delay` samples earlier."""
    if delay >= 0:
        return reference[: len(reference) - delay], degraded[delay:]
    return reference[-delay:], degraded[: len(degraded) + delay]
