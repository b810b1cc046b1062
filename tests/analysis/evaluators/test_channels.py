"""Worth of channels: nothing of those that the decoder does not read, and the entropy by hand."""

import math

import numpy as np
import pytest
import torch

from analysis.evaluators.channels import EVALUATOR
from analysis.metrics.latent_statistics import effective_number
from analysis.metrics.score import Unmeasurable


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
