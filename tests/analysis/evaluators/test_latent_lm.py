"""How easily latents are modelled, on real speech: every row is there, or says why it is not."""

import dataclasses
import math
from pathlib import Path

import pytest
import torch

from analysis.batching import Sample
from analysis.evaluators.latent_lm import EVALUATOR
from analysis.latent_lm.continuation import make_prompt
from analysis.outputs.table import Row
from analysis.resources import Options, Resources
from analysis.systems.autoencoder import AutoencoderSystem
from dcvae import SpeechAutoencoder, load_vocoder
from dcvae.audio.io import write_audio
from dcvae.data.manifest import Clip, read_manifest, write_manifest

SET_ROWS = {
    *(
        (f"step_{step}", name)
        for step in (0, 3, 6)
        for name in ("heldout_loss_per_second", "context_gain", "train_flops")
    ),
    *((f"raw_step_{step}", "context_gain") for step in (0, 3, 6)),
    ("no_context", "heldout_loss"),
    ("no_context", "heldout_loss_per_second"),
    *(
        (condition, metric)
        for condition in ("modelability", "modelability_raw")
        for metric in ("chosen_step", "seed_deviation")
    ),
}
CLIP_ROWS = {
    ("modelability", "heldout_loss"),
    ("modelability", "heldout_loss_per_second"),
    ("modelability", "context_gain"),
    ("modelability", "standardising_gain"),
    ("modelability_raw", "context_gain"),
}


def cells(rows: list[Row]) -> set[tuple[str, str]]:
    return {(row.condition, row.metric) for row in rows}


@pytest.mark.parametrize("compression", [8, 16])
def test_every_clip_and_the_set_have_their_rows(make, corpus, compression, measure):
    context = make(corpus, compression=compression)
    rows = measure(EVALUATOR, context)
    values = {row[:3]: row.value for row in rows}
    assert len(values) == len(rows)
    names = {clip.name for clip in context.clips}
    assert cells(row for row in rows if row.clip) == CLIP_ROWS
    assert cells(row for row in rows if not row.clip) == SET_ROWS
    assert {row.clip for row in rows} == names | {""}
    rate = context.system.rates.floats_per_second
    for name in names:
        per_dim = values[name, "modelability", "heldout_loss"]
        per_second = values[name, "modelability", "heldout_loss_per_second"]
        assert per_second == pytest.approx(per_dim * rate)
        gains = [values[name, one, "context_gain"] for one in ("modelability", "modelability_raw")]
        assert values[name, "modelability", "standardising_gain"] == gains[0] - gains[1]
    curve = [values["", f"step_{step}", "heldout_loss_per_second"] for step in (0, 3, 6)]
    assert curve[0] == pytest.approx(math.pi / 2 * rate, rel=0.15)
    assert curve[0] > curve[1] > curve[2]
    mean = sum(values[name, "modelability", "heldout_loss_per_second"] for name in names) / 10
    assert values["", "modelability", "chosen_step"] == 6  # validation has the same clips
    assert mean == pytest.approx(curve[2])
    bare = values["", "no_context", "heldout_loss_per_second"]
    for step, loss in zip((0, 3, 6), curve, strict=True):
        assert values["", f"step_{step}", "context_gain"] == pytest.approx(1 - loss / bare)
    assert values["", "step_6", "train_flops"] == 2 * values["", "step_3", "train_flops"] > 0


def test_the_step_with_the_lowest_validation_loss_is_judged(make, corpus, set_budget, measure):
    """After a step so large that the loss explodes, the weights before it are taken."""
    set_budget(learning_rate=3.0, warmup=1)
    values = {row[:3]: row.value for row in measure(EVALUATOR, make(corpus))}
    assert values["", "modelability", "chosen_step"] == 0
    assert (
        values["", "step_6", "heldout_loss_per_second"]
        > values["", "step_0", "heldout_loss_per_second"]
    )


def test_without_a_validation_split_the_last_step_is_judged(make, corpus, measure):
    clips = [clip for clip in read_manifest(corpus) if clip.split != "validation"]
    path = corpus.parent / "two_splits.csv"
    write_manifest(path, clips)
    values = {row[:3]: row.value for row in measure(EVALUATOR, make(path))}
    assert values["", "modelability", "chosen_step"] == 6


def test_a_second_measurement_gives_the_same_rows(make, corpus, measure):
    first, second = (measure(EVALUATOR, make(corpus)) for _ in range(2))
    assert first == second


def test_the_scale_of_a_space_changes_no_loss(make, corpus, measure):
    losses, deviations = [], []
    for factor in (1.0, 100.0):
        context = make(corpus, layernorm=False, latent_shortcut=False)
        last = context.system.model.backbone.encoder.conv_out
        with torch.no_grad():
            last.weight *= factor
            last.bias *= factor
        deviations.append(next(context.batches(context.clips)).latents.std().item())
        rows = measure(EVALUATOR, context)
        losses.append([row.value for row in rows if row.metric == "heldout_loss"])
    assert deviations[1] == pytest.approx(100 * deviations[0], rel=1e-4)
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


def test_too_little_training_speech_gives_the_same_rows_with_the_reason(make, spoken, measure):
    rows = measure(EVALUATOR, make(spoken))  # all in the test split
    assert cells(rows) == CLIP_ROWS | SET_ROWS
    assert len(rows) == 10 * len(CLIP_ROWS) + len(SET_ROWS)
    assert all(math.isnan(row.value) for row in rows)
    assert {row.reason for row in rows} == {"the training split has no clip that can be used"}


def test_less_training_speech_than_a_batch_says_so(make, corpus, set_budget, measure):
    set_budget(batch_seconds=60.0)
    reasons = {row.reason for row in measure(EVALUATOR, make(corpus))}
    assert reasons == {"the training split has 19 s of speech, a batch takes 60 s"}


def test_a_model_whose_latents_are_nan_gives_rows_with_the_reason(make, corpus, measure):
    context = make(corpus)
    for parameter in context.system.model.parameters():
        torch.nn.init.constant_(parameter, math.nan)
    rows = measure(EVALUATOR, context)
    assert cells(rows) == CLIP_ROWS | SET_ROWS
    assert all(math.isnan(row.value) and row.reason for row in rows)
    assert {row.reason for row in rows if row.clip} == {"its latents hold NaN or infinity"}


def test_a_clip_of_less_than_two_latent_frames_fails_alone(make, corpus, tmp_path, measure):
    write_audio(tmp_path / "short.wav", torch.rand(22050 // 4) - 0.5, 22050)
    short = Clip(tmp_path / "short.wav", 0.25, 22050, split="test")
    context = make(corpus)
    context.clips = [*context.clips, short]
    rows = measure(EVALUATOR, context)
    failed = [row for row in rows if math.isnan(row.value)]
    assert {row.clip for row in failed} == {short.name}
    assert {row.reason for row in failed} == {"shorter than 2 whole latent frames"}
    assert cells(failed) == CLIP_ROWS


def test_an_unknown_budget_names_those_that_there_are(make_context, spoken):
    context = make_context(spoken)
    context.resources = Resources(torch.device("cpu"), Options(budget="huge"))
    with pytest.raises(ValueError, match="'huge': choose from quick, paper"):
        EVALUATOR.settings(context)


def test_the_settings_hold_every_number_of_the_budget(make, spoken):
    settings = EVALUATOR.settings(make(spoken))
    assert settings["steps"] == 6
    assert settings["network"] == {"width": 32, "layers": 1, "heads": 2, "head_layers": 1}
    assert settings["budget"] == "test"


def compressing(compression: int) -> AutoencoderSystem:
    model = SpeechAutoencoder(
        compression=compression,
        channels=(8,) * 6,
        encoder_layers=(1,) * 6,
        decoder_layers=(1,) * 6,
        latent_channels=8,
    )
    return AutoencoderSystem(model, load_vocoder("griffin_lim"), torch.device("cpu"))


def test_the_same_stretch_is_continued_at_every_compression():
    mel = torch.arange(300.0).expand(80, -1)
    sample = Sample(Clip(Path("clip.wav"), 3.5, 22050), torch.zeros(300 * 256), mel)
    for compression in (4, 8, 16, 32):
        frames = torch.zeros(300 // compression, 8)
        system = compressing(compression)
        prompt = make_prompt(sample, frames, system)
        assert prompt.spoken[0].tolist() == list(range(128, 288))
        assert len(prompt.wave) == 288 * 256
        assert len(prompt.frames) == 288 // compression
        cut = dataclasses.replace(sample, mel=mel[:, :230])
        shorter = make_prompt(cut, frames[: 230 // compression], system)
        assert shorter.spoken[0].tolist() == list(range(128, 224))
        cut = dataclasses.replace(sample, mel=mel[:, :159])
        assert make_prompt(cut, frames[: 159 // compression], system) is None


def test_raw_latents_far_from_unit_variance_cost_gain(make, corpus, measure):
    """A space a hundred times as large: standardised it is the same, as it is it is not."""
    context = make(corpus, layernorm=False, latent_shortcut=False)
    last = context.system.model.backbone.encoder.conv_out
    with torch.no_grad():
        last.weight *= 100
        last.bias *= 100
    rows = measure(EVALUATOR, context)
    assert min(row.value for row in rows if row.metric == "standardising_gain") > 0.1
    raw = [row.value for row in rows if row[1:3] == ("modelability_raw", "context_gain")]
    assert max(raw) < -1  # no share between 0 and 1
