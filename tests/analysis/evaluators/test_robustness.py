"""Noise and repetition: every cell has its row, more noise is worse."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from analysis.evaluators.robustness import INPUT_NOISE, ROUND_TRIPS, make_noise


@pytest.mark.parametrize("evaluator", [INPUT_NOISE, ROUND_TRIPS])
def test_every_clip_has_a_row_in_every_cell(spoken: Path, make_context, measure, evaluator) -> None:
    context = make_context(spoken, 2)
    clips = evaluator.clips(context)
    rows = measure(evaluator, context)
    found = sorted((row.clip, row.condition, row.metric) for row in rows)
    expected = sorted(
        (clip.name, *cell) for clip in clips for cell in evaluator.cells(context, clip)
    )
    assert found == expected
    table = pd.DataFrame(rows).set_index(["condition", "metric"])["value"].astype(float)
    if evaluator is INPUT_NOISE:
        noisy = [table[f"noisy_white_{ratio}", "stoi"].mean() for ratio in (20, 10, 5, 0)]
        assert noisy == sorted(noisy, reverse=True)
        assert noisy[0] > 0.9


def test_a_clips_babble_is_the_same_however_many_clips_are_scored(spoken, make_context) -> None:
    few, all_ten = (make_context(spoken, count) for count in (2, 10))
    (batch, *_) = few.batches(few.clips)
    noises = [make_noise("babble", batch.samples[0], context) for context in (few, all_ten)]
    assert torch.equal(*noises)
    assert bool(noises[0].any())
