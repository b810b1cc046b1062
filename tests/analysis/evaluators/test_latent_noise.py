"""Noise on latents: every cell has its row, scales and areas are as by hand, runs are equal."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from analysis.asr.models import load_recogniser
from analysis.context import EvalContext
from analysis.evaluator import Evaluator
from analysis.evaluators.latent_noise import (
    LATENT_NOISE,
    LATENT_NOISE_AUDIO,
    SIGMAS,
    costs,
    deviations_of,
    latent_deviations,
)
from analysis.evaluators.noise import fixed_noise
from analysis.outputs.table import Row

MakeContext = Callable[..., EvalContext]
Measure = Callable[[Evaluator, EvalContext], list[Row]]


def by_cell(rows: list[Row]) -> dict[tuple[str, str, str], Row]:
    return {(row.clip, row.condition, row.metric): row for row in rows}


@pytest.mark.parametrize("evaluator", [LATENT_NOISE, LATENT_NOISE_AUDIO], ids=lambda one: one.name)
def test_every_clip_has_a_row_in_every_cell_and_two_runs_are_equal(
    spoken: Path, make_context: MakeContext, measure: Measure, evaluator: Evaluator
) -> None:
    context = make_context(spoken, 2)
    context.resources.options = replace(context.resources.options, robustness_clips=1)
    rows = measure(evaluator, context)
    clips = evaluator.clips(context)
    assert len(clips) == 2  # of the whole selection
    expected = {(clip.name, *cell) for clip in clips for cell in evaluator.cells(context, clip)}
    found = {cell: row for cell, row in by_cell(rows).items() if cell[0]}
    assert set(found) == expected
    assert len(found) == sum(bool(row.clip) for row in rows)
    assert rows == measure(evaluator, context)


def test_audio_has_all_that_is_installed_and_no_row_twice(
    spoken: Path, make_context: MakeContext
) -> None:
    context = make_context(spoken, 4)
    english = next(clip for clip in context.clips if clip.language == "en")
    heard = {metric for _, metric in LATENT_NOISE_AUDIO.cells(context, english)}
    assert {"pesq_wb", "stoi", "distillmos", "text_nll", "speaker_similarity"} <= heard
    assert {"pesq_wb_loss", "text_nll_rise", "speaker_similarity_loss"} <= heard
    cells = [
        cell for one in (LATENT_NOISE, LATENT_NOISE_AUDIO) for cell in one.cells(context, english)
    ]
    assert len(cells) == len(set(cells))
    other = next(clip for clip in context.clips if clip.language != "en")
    assert "text_nll" not in {metric for _, metric in LATENT_NOISE_AUDIO.cells(context, other)}
    settings = LATENT_NOISE_AUDIO.settings(context)
    assert settings["recogniser"] == load_recogniser("bundled-en", torch.device("cpu")).name
    assert all(settings.values())


def test_the_deviation_of_white_noise_is_one_of_all_and_of_each_dim() -> None:
    frames = torch.randn(3, 4, 20_000, generator=torch.Generator().manual_seed(0))
    found = deviations_of(frames)
    assert found.space.shape == (1, 1, 1)
    assert found.per_dim.shape == (3, 4, 1)
    # the deviation of a sample's deviation is 1 / sqrt(2 n)
    assert float(found.space) == pytest.approx(1, abs=5 / math.sqrt(2 * frames.numel()))
    np.testing.assert_allclose(found.per_dim, 1, atol=5 / math.sqrt(2 * 20_000))


def test_a_loud_dim_raises_the_spaces_deviation_and_no_other_dims() -> None:
    """Signs of equal number: deviation 1, and 7 of one dim in four, so sqrt((3 + 49) / 4)."""
    frames = torch.tensor([1.0, -1.0]).repeat(2, 2, 50)
    frames[1, 0] *= 7
    found = deviations_of(frames)
    assert found.per_dim.flatten().tolist() == pytest.approx([1, 1, 7, 1])
    assert float(found.space) == pytest.approx(math.sqrt(13))


def test_the_mean_of_a_dim_is_no_deviation_of_it_but_one_of_the_space() -> None:
    frames = torch.tensor([1.0, -1.0]).repeat(1, 2, 50)
    frames[0, 1] += 4  # values about 0 and about 4: 1 within, 2 between
    found = deviations_of(frames)
    assert found.per_dim.flatten().tolist() == pytest.approx([1, 1])
    assert float(found.space) == pytest.approx(math.sqrt(5))


def test_noise_is_in_units_of_the_runs_own_latents(
    spoken: Path, make_context: MakeContext, measure: Measure
) -> None:
    """Against numpy's deviations and a decoding done here, and the rows of the set."""
    context = make_context(spoken, 3, layernorm=False)
    batches = list(context.batches(context.clips))
    latents = np.concatenate([one.numpy() for batch in batches for one in batch.clip_latents], -1)
    space, per_dim = latents.astype(float).std(), latents.astype(float).std(-1)
    found = latent_deviations(context)
    assert float(found.space) == pytest.approx(space, rel=1e-5)
    np.testing.assert_allclose(found.per_dim[..., 0], per_dim, rtol=1e-4)
    rows = by_cell(measure(LATENT_NOISE, context))
    assert rows["", "latent_noise", "noise_scale"].value == pytest.approx(space, rel=1e-5)
    scale = rows["", "latent_noise_per_dim", "noise_scale"].value
    assert scale == pytest.approx(math.sqrt((per_dim**2).mean()), rel=1e-4)
    assert rows["", "latent_noise_per_dim", "noise_scale_most"].value == pytest.approx(
        per_dim.max(), rel=1e-4
    )
    batch = batches[0]
    sample = batch.samples[0]
    noise = torch.stack([fixed_noise(name, batch.latents.shape[1:]) for name in batch.names])
    for name, deviation in (("", space), ("per_dim_", per_dim[..., None])):
        noisy = batch.latents + 0.5 * torch.as_tensor(deviation, dtype=torch.float32) * noise
        mel = context.decode(batch.samples, noisy).mels[0]
        expected = float((mel - sample.mel).abs().mean())
        row = rows[sample.name, f"latent_noise_{name}0.5", "mel_l1"]
        assert row.value == pytest.approx(expected, rel=1e-4)


def test_costs_are_against_the_clips_own_clean_value_and_the_area_ends_at_one_half() -> None:
    """A rise of sigma squared: trapezoids over 0, .125, .25 and .5 by hand, over .5."""
    rows = [Row("a", f"latent_noise_{sigma}", "mel_l1", 3 + sigma**2) for sigma in SIGMAS]
    rows += [
        Row("a", f"latent_noise_{sigma}", "stoi", 0.9 - sigma / 2)
        for sigma in (0.0, 0.25, 0.5, 1.0)
    ]
    rows += [Row("a", f"latent_noise_per_dim_{sigma}", "mel_l1", 3.0) for sigma in SIGMAS]
    found = by_cell(costs(rows))
    assert ("a", "latent_noise_0.0", "mel_l1_rise") not in found
    for sigma in SIGMAS[1:]:
        rise = found["a", f"latent_noise_{sigma}", "mel_l1_rise"]
        assert rise.value == pytest.approx(sigma**2)
    trapezoids = 0.125 * (0 + 0.015625) / 2 + 0.125 * (0.015625 + 0.0625) / 2
    trapezoids += 0.25 * (0.0625 + 0.25) / 2
    area = found["a", "latent_noise_area", "mel_l1_rise"]
    assert area.value == pytest.approx(trapezoids / 0.5)
    assert found["a", "latent_noise_area", "stoi_loss"].value == pytest.approx(0.125)
    assert found["a", "latent_noise_1.0", "stoi_loss"].value == pytest.approx(0.5)
    assert found["a", "latent_noise_per_dim_area", "mel_l1_rise"].value == 0


def test_a_point_that_is_missing_leaves_the_others_and_says_why() -> None:
    values = {0.0: (1.0, ""), 0.25: (math.nan, "too loud"), 0.5: (2.0, ""), 1.0: (3.0, "")}
    rows = [Row("a", f"latent_noise_{sigma}", "text_nll", *one) for sigma, one in values.items()]
    rows += [Row("b", f"latent_noise_{sigma}", "text_nll", *one) for sigma, one in values.items()]
    rows[4] = Row("b", "latent_noise_0.0", "text_nll", math.nan, "broken")
    found = by_cell(costs(rows))
    assert found["a", "latent_noise_0.5", "text_nll_rise"].value == 1
    for cell, reason in (
        (("a", "latent_noise_0.25"), "too loud"),
        (("a", "latent_noise_area"), "too loud"),
        (("b", "latent_noise_1.0"), "without noise: broken"),
        (("b", "latent_noise_area"), "without noise: broken"),
    ):
        row = found[(*cell, "text_nll_rise")]
        assert math.isnan(row.value)
        assert row.reason == reason
