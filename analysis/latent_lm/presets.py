"""The model of the latents and its budgets: the same numbers for every run, stated once."""

from dataclasses import dataclass, field

SEED = 0  # of the noises that held-out clips are judged with


@dataclass(frozen=True)
class NetworkSize:
    """A causal transformer with a flow-matching head."""

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
    decoded: tuple[int, ...]  # steps of the curve whose drawn frames are decoded
    batch_seconds: float  # speech a step, padding included
    learning_rate: float
    warmup: int  # steps
    seeds: tuple[int, ...] = (0, 1, 2)  # of weights and order of clips; results are their mean
    draws: int = 4  # noises and times for each frame of a batch
    times: int = 8  # noises and times for each held-out frame
    watched: int = 256  # the first held-out clips: the curve is of them, and they are continued
    solver_steps: int = 32  # of Euler's method, for each frame that is drawn
    network: NetworkSize = field(default_factory=NetworkSize)


PRESETS = {
    "quick": Preset(
        speech_hours=0.5,
        validation_hours=0.05,
        steps=200,
        curve=(0, 25, 50, 100),
        decoded=(50, 200),
        batch_seconds=64.0,
        learning_rate=4e-3,
        warmup=30,
        network=NetworkSize(width=128, layers=2, heads=2, head_layers=2),  # .6M parameters
    ),
    "paper": Preset(
        speech_hours=100.0,
        validation_hours=0.5,
        steps=20_000,
        curve=(0, 50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 14_000),
        decoded=(0, 400, 3_200, 20_000),
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
