"""One measurement of one clip: a value, or the reason why there is none."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Unmeasurable(ValueError):
    """What a metric cannot score; the message is the reason that the table gives."""


class Score(NamedTuple):
    """A finite value, or NaN and the reason in a few words."""

    value: float
    reason: str = ""


Values = Sequence[Score] | Array  # one for each point


def score(metric: Callable[..., float], *arguments: Any) -> Score:
    """Call a metric; whatever it raises, and a value that is not finite, is a NaN with a reason.

    A library may raise anything: a clip that one metric fails on must not end the analysis.
    """
    try:
        value = float(metric(*arguments))
    except Unmeasurable as error:
        return Score(math.nan, str(error))
    except Exception as error:
        message = " ".join(str(error).split())[:100]
        return Score(math.nan, f"{type(error).__name__}: {message}" if message else repr(error))
    if not math.isfinite(value):
        return Score(math.nan, "the metric gave no finite value")
    return Score(value)


def check_pair(reference: Array, degraded: Array) -> None:
    """Unmeasurable unless both are finite, of one shape, and the reference is not silent."""
    if reference.shape != degraded.shape:
        raise Unmeasurable(f"lengths differ: {reference.shape} and {degraded.shape}")
    check_audible(reference, "the original")
    if not bool(np.isfinite(degraded).all()):
        raise Unmeasurable("the output holds NaN or infinity")


def check_audible(wave: Array, name: str = "the output") -> None:
    """Unmeasurable unless the wave [T] is finite and not silent."""
    if wave.size == 0:
        raise Unmeasurable(f"{name} is empty")
    if not bool(np.isfinite(wave).all()):
        raise Unmeasurable(f"{name} holds NaN or infinity")
    if not bool(np.any(wave)):
        raise Unmeasurable(f"{name} is silent")


def series(count: int, measured: Callable[[], Values]) -> list[Score]:
    """So many scores of one measure; where it fails as a whole, its reason as many times."""
    found: list[Score] = []

    def run() -> float:
        found.extend(one if isinstance(one, Score) else score(float, one) for one in measured())
        return 0.0

    failed = score(run) if count else Score(math.nan)
    return found or [failed] * count
