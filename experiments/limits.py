"""Which numbers a configuration may hold: told before any work, and not after days of it."""

import math
import os
from collections.abc import Mapping
from typing import Any

from experiments.record import flatten

WHOLE: Mapping[str, tuple[int, int | None]] = {  # the least and the most
    "seed": (0, 2**32 - 1),  # what NumPy takes
    "trainer.steps": (1, None),
    "trainer.warmup_steps": (0, None),
    "trainer.gradient_accumulation_steps": (1, None),
    "trainer.log_every": (1, None),
    "trainer.validate_every": (1, None),
    "trainer.save_every": (1, None),
    "loader.segment_frames": (1, None),
    "loader.batch_size": (1, None),
    "loader.num_workers": (0, None),
    "validation.clips.count": (1, None),
    "validation.examples": (0, None),
    "vocoder.iterations": (1, None),
    "data.buffer": (1, None),
}
REAL: Mapping[str, tuple[float, float]] = {
    "trainer.min_lr_ratio": (0, math.inf),
    "trainer.max_grad_norm": (0, math.inf),
    "trainer.ema_decay": (0, 1),
    "loader.min_seconds": (0, math.inf),
    "validation.clips.min_seconds": (0, math.inf),
    "validation.clips.max_seconds": (0, math.inf),
    "optimizer.lr": (0, math.inf),
    "optimizer.weight_decay": (0, math.inf),
    "adversary.optimizer.lr": (0, math.inf),
    "adversary.optimizer.weight_decay": (0, math.inf),
    "losses.reconstruction.weight": (0, math.inf),
    "losses.dispersive.weight": (0, math.inf),
    "losses.kl.weight": (0, math.inf),
    "losses.adversarial.weight": (0, math.inf),
    "losses.feature_matching.weight": (0, math.inf),
}
OPTIONAL = ("trainer.ema_decay", "validation.clips.max_seconds")  # may be null


def check_limits(config: Mapping[str, Any]) -> None:
    """ValueError for the first number that no training could use, by its name."""
    given = flatten(dict(config))
    for name, (least, most) in WHOLE.items():
        if name in given:
            check_whole(name, given[name], least, most)
    for name, (low, high) in REAL.items():
        if name in given and not (given[name] is None and name in OPTIONAL):
            check_real(name, given[name], low, high)
    frames, compression = given.get("loader.segment_frames"), given.get("model.compression")
    if isinstance(frames, int) and isinstance(compression, int) and frames < compression:
        raise ValueError(
            f"loader.segment_frames={frames} is less than one latent frame, which takes"
            f" model.compression={compression} frames"
        )


def check_whole(name: str, value: Any, least: int, most: int | None = None) -> None:
    """ValueError for what is no whole number of that range."""
    if type(value) is not int or value < least or (most is not None and value > most):
        range_ = f"{least} or more" if most is None else f"{least} to {most}"
        raise ValueError(f"{name} must be a whole number, {range_}, not {value}")


def check_real(name: str, value: Any, low: float, high: float) -> None:
    """ValueError for what is no finite number of that range."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} must be a number, not {value}")
    if not (math.isfinite(value) and low <= value <= high):
        range_ = f"{low} or more" if high == math.inf else f"{low} to {high}"
        raise ValueError(f"{name} must be a finite number, {range_}, not {value}")


def whole_variable(name: str, least: int) -> int | None:
    """A whole number of the environment, None where it is not set; ValueError for another."""
    said = os.environ.get(name)
    if not said:
        return None
    try:
        value = int(said)
    except ValueError:
        value = least - 1
    if value < least:
        raise ValueError(f"{name} must be a whole number, {least} or more, not {said}")
    return value
