"""Worth of channels: nothing of those that the decoder does not read, and the entropy by hand."""

import math

import numpy as np
import pytest
import torch

from analysis.evaluators.channels import EVALUATOR, effective_channels
from analysis.metrics.latent_statistics import effective_number
from analysis.metrics.score import Unmeasurable
from dcvae.audio.io import write_audio
from dcvae.data.manifest import Clip


def first_convolution(decoder: torch.nn.Module) -> torch.nn.Conv2d:
    return next(module for module in decoder.modules() if isinstance(module, torch.nn.Conv2d))


def test_a_channel_that_the_decoder_does_not_read_is_worth_nothing(
    spoken, make_context, measure
) -> None:
    context = make_context(spoken, 3, latent_shortcut=False)
    channels = int(context.system.model.config["latent_channels"])
    with torch.no_grad():
        first_convolution(context.system.model.backbone.decoder).weight[:, 1:] = 0
    rows = measure(EVALUATOR, context)
    names = {clip.name for clip in EVALUATOR.clips(context)}
    cells = {(row.clip, row.condition, row.metric) for row in rows if row.clip}
    assert cells == {(name, *cell) for name in names for cell in EVALUATOR.cells(context, None)}
    assert len(cells) == len(names) * channels
    for row in rows:
        if row.clip:
            assert (row.value == 0) == (row.condition != "channel_00"), row
    summary = next(row for row in rows if not row.clip)
    rise = np.mean([row.value for row in rows if row.condition == "channel_00"])
    if rise > 0:  # an untrained decoder may do better without
        assert summary.value == 1.0
    else:
        assert summary.reason == "all weights are zero"


def test_a_channel_that_never_varies_is_worth_nothing(spoken, make_context, measure) -> None:
    context = make_context(spoken, 2, layernorm=False)
    encode = context.system.encode

    def constant(samples, frames):
        latents = encode(samples, frames)
        latents[:, 2] = 0.5
        return latents

    context.system.encode = constant
    rises = [row.value for row in measure(EVALUATOR, context) if row.condition == "channel_02"]
    assert rises == pytest.approx([0.0] * len(rises), abs=1e-6)


def test_the_effective_number_by_hand() -> None:
    assert effective_number(np.array([2.0, 2.0, 0.0])) == pytest.approx(2)
    assert effective_number(np.array([5.0])) == 1
    entropy = 0.75 * math.log(4 / 3) + 0.25 * math.log(4)
    assert effective_number(np.array([3.0, 1.0])) == pytest.approx(math.exp(entropy))
    with pytest.raises(Unmeasurable):
        effective_number(np.zeros(3))


def test_a_clip_without_rises_has_no_part_in_the_sets_number() -> None:
    """Means of 1 and 3, whose shares are a quarter and three quarters."""
    entropy = 0.25 * math.log(4) + 0.75 * math.log(4 / 3)
    rises = [[0.0, 4.0], [math.nan, math.nan], [9.0, math.nan], [2.0, 2.0]]
    assert effective_channels(rises) == pytest.approx(math.exp(entropy))
    for none in ([], [[math.nan, 1.0]]):
        with pytest.raises(Unmeasurable, match="no clip has a finite rise of every channel"):
            effective_channels(none)
    with pytest.raises(Unmeasurable, match="all weights are zero"):
        effective_channels([[0.0, -1.0]])


def test_a_silent_clip_leaves_the_set_its_effective_channels(
    spoken, make_context, measure, tmp_path
) -> None:
    write_audio(tmp_path / "silent.wav", torch.zeros(33_000), 22_050)
    context = make_context(spoken, 2, layernorm=False)
    context.clips.append(Clip(tmp_path / "silent.wav", 1.5, 22_050, split="test"))
    *rows, whole = measure(EVALUATOR, context)
    own = [row for row in rows if row.clip == context.clips[-1].name]
    assert own
    assert all(math.isnan(row.value) for row in own)
    rises = [[row.value for row in rows if row.clip == clip.name] for clip in context.clips[:2]]
    assert whole.value == pytest.approx(effective_channels(rises))
