"""Two waves of one clip, checked and resampled for the metrics that compare them."""

from collections.abc import Callable
from dataclasses import dataclass, field

import soxr

from analysis.metrics.score import Array, Unmeasurable, check_pair

SHORTEST = 0.25  # seconds: PESQ refuses less, and less tells the others nothing of a voice

Waves = tuple[Array, Array]  # original and output, [T] each
Resampler = Callable[[Array, float, float], Array]  # wave [T], its rate, the new rate


@dataclass(frozen=True, eq=False)
class WavePair:
    """The original and an output, [T] each at `sample_rate` Hz."""

    reference: Array
    degraded: Array
    sample_rate: int
    known: dict[tuple[int, Resampler], Waves] = field(default_factory=dict, repr=False)

    @property
    def checked(self) -> Waves:
        """Both as they are; Unmeasurable unless finite, of one length, long and audible enough."""
        check_pair(self.reference, self.degraded)
        check_length(self.reference, self.sample_rate)
        return self.reference, self.degraded

    def at(self, rate: int, resample: Resampler = soxr.resample) -> Waves:
        """Both at `rate` Hz, resampled once however many metrics ask."""
        if (rate, resample) not in self.known:
            reference, degraded = (resample(wave, self.sample_rate, rate) for wave in self.checked)
            self.known[rate, resample] = reference, degraded
        return self.known[rate, resample]


def check_length(wave: Array, sample_rate: int) -> None:
    """Unmeasurable where the wave [T] is shorter than SHORTEST."""
    if len(wave) < SHORTEST * sample_rate:
        raise Unmeasurable(f"only {len(wave) / sample_rate:.2f} s long")
