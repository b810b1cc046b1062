"""Evaluators of signal quality on a small model: what they give for every clip."""

import math
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pesq as pesq_library
import pytest
import torch

from analysis.context import EvalContext
from analysis.evaluator import Evaluator
from analysis.evaluators import audio_quality, dnsmos, pitch, visqol
from analysis.metrics.modulation import band_groups, log_modulation_ratio
from analysis.metrics.perceptual import METRICS, wave_scores
from analysis.metrics.spectral import mel_cepstral_distortion, mel_l1
from analysis.outputs.table import Row
from dcvae import LogMel
from dcvae.audio.io import write_audio
from dcvae.data.manifest import Clip, read_manifest, write_manifest

RATE = 22050


@pytest.fixture
def context(make_context, spoken: Path, tmp_path: Path) -> EvalContext:
    """Of two spoken clips and a silent one."""
    write_audio(tmp_path / "silent.wav", torch.zeros(RATE), RATE)
    silent = Clip(tmp_path / "silent.wav", 1.0, RATE, split="test")
    write_manifest(tmp_path / "manifest.csv", [*read_manifest(spoken)[:2], silent])
    return make_context(tmp_path / "manifest.csv")


@pytest.fixture
def here(context: EvalContext) -> EvalContext:
    """With its pool in this process, where a library can be made to fail."""
    context.resources.__dict__["pool"] = ThreadPoolExecutor(1)
    return context


def ask(evaluator: Evaluator, context: EvalContext) -> list[list[Row]]:
    return list(evaluator.measure(context.batches(context.clips), context))


def answers(evaluator: Evaluator, context: EvalContext) -> dict[tuple[str, str, str], Row]:
    return {row[:3]: row for rows in ask(evaluator, context) for row in rows}


def spoken_clips(context: EvalContext) -> list[str]:
    return [clip.name for clip in context.clips if "silent" not in clip.name]


def check_rows(evaluator: Evaluator, context: EvalContext) -> None:
    """Each clip has one row in each cell, all in one piece, and each failure its reason."""
    batches = ask(evaluator, context)
    rows = [row for batch in batches for row in batch]
    assert Counter(row[:3] for row in rows) == Counter(
        (clip.name, *cell) for clip in context.clips for cell in evaluator.cells(context, clip)
    )
    together = [{row.clip for row in batch} for batch in batches]
    assert sum(map(len, together)) == 3  # so it can be resumed between the pieces
    for row in rows:
        assert math.isnan(row.value) == bool(row.reason)
        if "silent" in row.clip:
            assert "the original is silent" in row.reason
        elif evaluator is not pitch.EVALUATOR:  # an untrained model may well have no voice
            assert not row.reason, row


def test_every_clip_has_a_row_in_every_cell_by_the_process_pool(context: EvalContext) -> None:
    check_rows(audio_quality.EVALUATOR, context)


@pytest.mark.parametrize("module", [pitch, dnsmos, visqol])
def test_every_clip_has_a_row_in_every_cell_of_an_extra(here: EvalContext, module) -> None:
    if module.EVALUATOR.missing():
        pytest.skip(module.EVALUATOR.missing())
    check_rows(module.EVALUATOR, here)


def test_rows_are_the_metrics_of_the_models_own_output(here: EvalContext) -> None:
    rows = answers(audio_quality.EVALUATOR, here)
    twin = here.system.untrained()
    log_mel = LogMel()
    for batch in here.batches(here.clips):
        untrained = twin.reconstruct(batch.samples).mels
        for number, sample in enumerate(batch.samples):
            if sample.name not in spoken_clips(here):
                continue
            wave, mel = sample.wave.numpy(), sample.mel.numpy()
            for condition, output in (("reconstruction", batch.waves), ("ceiling", batch.ceilings)):
                scores = wave_scores(wave, output[number].numpy(), RATE)
                for metric in METRICS:
                    assert rows[sample.name, condition, metric][3:] == scores[metric]
                mels = [log_mel(one[None])[0].numpy() for one in (sample.wave, output[number])]
                expected = mel_cepstral_distortion(*mels)
                # another thread; where a band is quiet, its float32 keeps three digits
                assert rows[sample.name, condition, "mcd"].value == pytest.approx(
                    expected, rel=1e-3
                )
            for condition, mels in (("reconstruction", batch.mels), ("untrained", untrained)):
                expected = mel_l1(mel, mels[number].numpy())
                assert rows[sample.name, condition, "mel_l1"].value == pytest.approx(expected)
            expected = log_modulation_ratio(mel, batch.mels[number].numpy())
            assert rows[sample.name, "reconstruction", "log_modulation_ratio"].value == expected
            for name, group in band_groups().items():
                expected = log_modulation_ratio(mel[group], batch.mels[number].numpy()[group])
                row = rows[sample.name, f"bands_{name}", "log_modulation_ratio"]
                assert row.value == expected


def test_the_vocoder_alone_is_closer_than_an_untrained_model(here: EvalContext) -> None:
    rows = answers(audio_quality.EVALUATOR, here)
    for clip in spoken_clips(here):
        for metric, sign in (("pesq_wb", 1), ("stoi", 1), ("estoi", 1), ("mcd", -1)):
            ceiling, output = (
                rows[clip, condition, metric].value for condition in ("ceiling", "reconstruction")
            )
            assert sign * ceiling > sign * output


def test_the_ceiling_is_scored_once_for_all_runs(here: EvalContext, monkeypatch) -> None:
    first = answers(audio_quality.EVALUATOR, here)
    asked = []
    for name in ("wave_scores", "distortion"):
        monkeypatch.setattr(audio_quality, name, counting(getattr(audio_quality, name), asked))
    second = answers(audio_quality.EVALUATOR, here)
    assert Counter(asked) == {"wave_scores": 3, "distortion": 3}  # of the reconstructions
    assert first.keys() == second.keys()
    for key, row in first.items():
        assert second[key] == row or "silent" in row.reason


def counting(function: Callable, calls: list[str]) -> Callable:
    def call(*arguments: object) -> object:
        calls.append(function.__name__)
        return function(*arguments)

    return call


def test_a_library_that_raises_leaves_the_other_metrics(here: EvalContext, monkeypatch) -> None:
    def fail(*arguments: object, **options: object) -> float:
        raise pesq_library.NoUtterancesError(b"No utterances detected")

    monkeypatch.setattr(pesq_library, "pesq", fail)
    rows = answers(audio_quality.EVALUATOR, here)
    for clip in spoken_clips(here):
        assert rows[clip, "reconstruction", "pesq_wb"].reason == "PESQ: No utterances detected"
        assert math.isnan(rows[clip, "ceiling", "pesq_nb"].value)
        assert rows[clip, "ceiling", "stoi"].value > 0.5


def test_a_model_that_gives_nan_is_counted_and_never_scored(here: EvalContext) -> None:
    with torch.no_grad():
        next(here.system.model.backbone.decoder.parameters()).fill_(math.nan)
    rows = answers(audio_quality.EVALUATOR, here)
    for clip in spoken_clips(here):
        for key, row in rows.items():
            if key[0] == clip and key[1].startswith(("reconstruction", "bands_")):
                assert math.isnan(row.value)
                assert "NaN" in row.reason
            elif key[0] == clip:
                assert not row.reason


def test_the_untrained_twin_repeats_and_leaves_the_generator_alone(context: EvalContext) -> None:
    state = torch.random.get_rng_state()
    first, second = (context.system.untrained().model for _ in range(2))
    assert torch.equal(state, torch.random.get_rng_state())
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    assert not first.training
