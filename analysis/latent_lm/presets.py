"""The model of the latents and its budgets: the same numbers for every run, stated once."""

from dataclasses import dataclass, field

SEED = 0  # of the weights, the order of clips and every noise


@dataclass(frozen=True)
class NetworkSize:
    """A causal transformer with a flow-matching head: 5.1M parameters at 80 dims a frame."""

    width: int = 320
    layers: int = 3
    heads: int = 5
    head_layers: int = 2


@dataclass(frozen=True)
class Preset:
    """One budget, in speech and steps and never in time: equal on every machine."""

    speech_hours: float  # of the training split, at most; of a clip the first ten seconds
    validation_hours: float  # of the validation split: the step with the lowest loss is taken
    steps: int
    curve: tuple[int, ...]  # steps whose held-out loss is reported, besides the last one
    batch_seconds: float  # speech a step, padding included
    learning_rate: float
    warmup: int  # steps
    draws: int = 4  # noises and times for each frame of a batch
    times: int = 8  # noises and times for each held-out frame
    watched: int = 256  # the first held-out clips: the curve is taken on them, they are continued
    continuations: int = 4  # of each
    solver_steps: int = 64  # of Euler's method, for each frame that is drawn
    network: NetworkSize = field(default_factory=NetworkSize)


PRESETS = {
    "quick": Preset(
        speech_hours=2.0,
        validation_hours=0.05,
        steps=400,
        curve=(0, 25, 50, 100, 200, 300),
        batch_seconds=96.0,
        learning_rate=2e-3,
        warmup=30,
    ),
    "paper": Preset(
        speech_hours=100.0,
        validation_hours=0.5,
        steps=20_000,
        curve=(0, 50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 14_000),
        batch_seconds=768.0,
        learning_rate=1e-3,
        warmup=200,
    ),
}


def preset_named(name: str) -> Preset:
    """The preset of that name; ValueError lists those that there are."""
    if name not in PRESETS:
        raise ValueError(f"no budget is named {name!r}: choose from {', '.join(PRESETS)}")
    return PRESETS[name]
