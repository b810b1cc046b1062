"""Noise and repetition: every cell has its row, more noise is worse, runs are disturbed alike."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from analysis.evaluators.robustness import (
    INPUT_NOISE,
    LATENT_NOISE,
    ROUND_TRIPS,
    SIGMAS,
    areas,
    latent_std,
)
from analysis.outputs.table import Row


@pytest.mark.parametrize("evaluator", [LATENT_NOISE, INPUT_NOISE, ROUND_TRIPS])
def test_every_clip_has_a_row_in_every_cell(spoken: Path, make_context, evaluator) -> None:
    context = make_context(spoken, 2)
    clips = evaluator.clips(context)
    batches = context.batches(clips)
    rows = [row for some in evaluator.measure(batches, context) for row in some]
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


def test_noise_is_in_units_of_the_runs_own_latents(spoken: Path, make_context) -> None:
    context = make_context(spoken, 3, layernorm=False)
    expected = torch.cat(
        [one.flatten() for batch in context.batches(context.clips) for one in batch.clip_latents]
    )
    assert latent_std(context, context.clips) == pytest.approx(
        expected.double().std().item(), rel=1e-5
    )


def test_area_is_the_mean_height_of_the_curve() -> None:
    rows = [Row("a", f"latent_noise_{sigma}", "stoi", 1 - sigma) for sigma in SIGMAS]
    rows += [Row("a", f"latent_noise_{sigma}", "mel_l1", sigma**2) for sigma in SIGMAS]
    rows += [Row("b", f"latent_noise_{sigma}", "stoi", math.nan, "x") for sigma in SIGMAS]
    by_metric = {(row.clip, row.metric): row for row in areas(rows)}
    assert by_metric["a", "stoi"].value == pytest.approx(0.5)
    squares = np.array(SIGMAS) ** 2
    expected = ((squares[1:] + squares[:-1]) / 2 * np.diff(SIGMAS)).sum()
    assert by_metric["a", "mel_l1"].value == pytest.approx(expected)
    assert math.isnan(by_metric["b", "stoi"].value)
    assert by_metric["b", "stoi"].reason
