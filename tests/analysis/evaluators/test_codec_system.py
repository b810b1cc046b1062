"""Everything that takes latents, of a codec whose latents lie on no grid of mel frames."""

import math

import pytest
import torch

from analysis.context import EvalContext
from analysis.evaluators import interpolation, robustness
from analysis.registry import EVALUATORS
from analysis.systems.codec import wrap
from analysis.systems.system import LatentSystem

FRAME = 1280  # samples at 16 kHz: 12.5 latent frames a second
KEPT = 24  # of each frame's cosine transform


class Cosines:
    """The lowest cosines of each frame."""

    name, sample_rate = "cosines", 16_000

    def __init__(self) -> None:
        steps = torch.arange(FRAME) + 0.5
        basis = torch.cos(math.pi / FRAME * torch.arange(1, KEPT + 1)[:, None] * steps)
        self.basis = basis * math.sqrt(2 / FRAME)  # orthonormal

    def encode(self, wave):
        frames = -(-len(wave) // FRAME)
        padded = torch.nn.functional.pad(wave, (0, frames * FRAME - len(wave)))
        return self.basis @ padded.view(frames, FRAME).T

    def decode(self, latents):
        return (latents.T @ self.basis).flatten()


@pytest.fixture
def context(make_context, resources, corpus, set_budget) -> EvalContext:
    set_budget(steps=2, curve=(0,), decoded=(0,), warmup=1, seeds=(0,), solver_steps=2)
    made = make_context(corpus, count=9)
    made.resources, made.system = resources, wrap(Cosines(), {})
    return made


@pytest.mark.parametrize(
    "name",
    [
        "quality",
        "latents",
        "phones",
        "channels",
        "latent_noise",
        "round_trips",
        "modelability",
        "interface",
        "continuations",
    ],
)
@pytest.mark.slow
def test_every_clip_has_its_rows_as_those_of_a_trained_run(name: str, context, measure) -> None:
    evaluator = EVALUATORS[name]
    if evaluator.missing():
        pytest.skip(evaluator.missing())
    assert not evaluator.lacks(context.system)
    rows = measure(evaluator, context)
    clips = evaluator.clips(context)
    cells = {(clip.name, *cell) for clip in clips for cell in evaluator.cells(context, clip)}
    found = {(row.clip, row.condition, row.metric) for row in rows if row.clip}
    assert found == cells
    assert all(math.isfinite(row.value) or row.reason for row in rows)
    if name not in {"phones", "continuations"}:  # of clips this few and short
        assert any(math.isfinite(row.value) for row in rows if row.clip)


def test_no_row_speaks_of_an_untrained_twin(context: EvalContext, measure) -> None:
    for name in ("quality", "latents"):
        assert not any(row.condition == "untrained" for row in measure(EVALUATORS[name], context))


def test_the_continuation_begins_where_the_prompt_ends(context: EvalContext) -> None:
    """18 latent frames of .08 s lie within the 1.49 s of a prompt."""
    assert isinstance(context.system, LatentSystem)
    assert context.system.whole_latent_frames(128) == 18
    assert context.system.frames_per_latent == pytest.approx(22_050 / 256 / 12.5, rel=1e-6)


def test_latent_noise_is_of_the_deviation_that_the_latents_have(context: EvalContext) -> None:
    """With orthonormal cosines noise of s adds s^2 a dim to the wave's energy."""
    (batch, *_) = context.batches(context.clips)
    noise = torch.randn(batch.latents.shape, generator=torch.Generator().manual_seed(0))
    system = Cosines()
    clean, noisy = (system.decode(one[0, :, 0]) for one in (batch.latents, batch.latents + noise))
    energy = (noisy - clean).square().sum()
    assert energy == pytest.approx(float(noise[0].square().sum()), rel=1e-4)


def test_what_needs_the_mels_grid_or_any_speech_says_so(context: EvalContext) -> None:
    assert "grid of mel frames" in interpolation.EVALUATOR.lacks(context.system)
    context.system.takes_any_speech = False
    assert "its own inputs alone" in robustness.ROUND_TRIPS.lacks(context.system)
