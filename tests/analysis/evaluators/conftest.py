"""What the tests of evaluators share, most of all of those that train models of latents."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch

from analysis.context import EvalContext
from analysis.evaluator import Evaluator
from analysis.latent_lm import presets
from analysis.latent_lm.presets import NetworkSize, Preset
from analysis.outputs.table import Row
from analysis.resources import Options, Resources
from dcvae.data.manifest import Clip, read_manifest, write_manifest

SMALL_BUDGET = Preset(
    speech_hours=1.0,
    validation_hours=1.0,
    steps=6,
    curve=(0, 3),
    decoded=(0, 6),
    batch_seconds=8.0,
    learning_rate=5e-3,
    warmup=2,
    seeds=(0, 1),
    solver_steps=4,
    network=NetworkSize(width=32, layers=1, heads=2, head_layers=1),
)

Measure = Callable[..., list[Row]]  # of an evaluator, a context and, if not its own, the clips


@pytest.fixture(scope="session")
def measure() -> Measure:
    """All rows of an evaluator, in the order in which it gives them."""

    def rows(
        evaluator: Evaluator, context: EvalContext, clips: Sequence[Clip] | None = None
    ) -> list[Row]:
        chosen = evaluator.clips(context) if clips is None else clips
        found = evaluator.measure(context.batches(chosen), context)
        return [row for some in found for row in some]

    return rows


@pytest.fixture(scope="package")
def resources() -> Iterator[Resources]:
    """One pool for all tests, whose processes take seconds to start; the budget is "test"."""
    options = Options(budget="test", robustness_clips=3, whisper="bundled-en")
    with Resources(torch.device("cpu"), options) as made:
        yield made


@pytest.fixture(scope="module")
def corpus(spoken: Path) -> Path:
    """The ten clips in every split: what is measured here is not how well it generalises."""
    clips = read_manifest(spoken)
    again = [
        dataclasses.replace(clip, split=split)
        for split in ("train", "validation", "test")
        for clip in clips
    ]
    path = spoken.parent / "all_splits.csv"
    write_manifest(path, again)
    return path


@pytest.fixture
def set_budget(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Preset]:
    """Make "test" the name of a budget of seconds, with these changes of it; the budget."""

    def set_it(**changes: object) -> Preset:
        budget = dataclasses.replace(SMALL_BUDGET, **changes)
        monkeypatch.setitem(presets.PRESETS, "test", budget)
        return budget

    return set_it


@pytest.fixture
def make(
    make_context: Callable[..., EvalContext],
    resources: Resources,
    set_budget: Callable[..., Preset],
) -> Callable[..., EvalContext]:
    """A context of the small budget, of a manifest and make_context's other options."""
    set_budget()

    def context(manifest: Path, **options: object) -> EvalContext:
        made = make_context(manifest, **options)
        made.resources = resources
        return made

    return context
