"""Words of outputs: every cell, against text and against reading, shared, failures counted."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import jiwer
import pandas as pd
import pytest
import torch
from whisper.normalizers import EnglishTextNormalizer

from analysis.asr.models import load_recogniser
from analysis.asr.recogniser import NLL_PADDING, READING_PADDING, Recogniser
from analysis.context import EvalContext
from analysis.evaluators.words import EVALUATOR, nll_rows, output_rows, read_originals
from analysis.resources import Options
from dcvae.audio.io import read_audio
from dcvae.data.manifest import Clip


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return load_recogniser("bundled-en", torch.device("cpu"))


@pytest.fixture
def context(spoken: Path, make_context: Callable[..., EvalContext], recogniser) -> EvalContext:
    made = make_context(spoken)
    made.resources.recogniser = recogniser  # loaded once for all tests here
    return made


def ask(context: EvalContext, clips: Sequence[Clip]) -> pd.DataFrame:
    rows = EVALUATOR.measure(context.batches(clips), context)
    return pd.DataFrame([row for some in rows for row in some])


def rate(table: pd.DataFrame, condition: str, metric: str) -> float:
    sums = table[table["condition"] == condition].groupby("metric")["value"].sum()
    return sums[f"{metric}_errors"] / sums[f"{metric}_total"]


def test_only_known_languages_are_asked_and_every_cell_has_its_row(context: EvalContext) -> None:
    clips = EVALUATOR.clips(context)
    assert [clip.language for clip in clips] == ["en"] * 4
    clips = [replace(clips[0], text=""), clips[1]]
    table = ask(context, clips)
    expected = {(clip.name, *cell) for clip in clips for cell in EVALUATOR.cells(context, clip)}
    assert {tuple(row) for row in table[["clip", "condition", "metric"]].values} == expected
    assert len(table) == len(expected)
    assert table["value"].notna().all()
    assert set(table[table["clip"] == clips[0].name]["metric"]) == {
        f"{metric}_{part}" for metric in ("dwer", "dcer") for part in ("errors", "total")
    }
    assert rate(table, "original", "wer") < 0.5 < rate(table, "reconstruction", "wer")
    assert rate(table, "original", "wer") <= rate(table, "ceiling", "wer")
    assert EVALUATOR.settings(context) == {
        "recogniser": context.resources.recogniser.name,
        "reading_padding": READING_PADDING,
        "text_nll_padding": NLL_PADDING,
    }
    kind = f"intelligibility {context.resources.recogniser.name}"
    assert context.references.has(kind, [clip.name for clip in clips])


def test_words_are_had_of_more_clips_than_are_selected(context: EvalContext) -> None:
    clips = EVALUATOR.clips(context)
    context.clips = context.clips[:1]
    assert EVALUATOR.clips(context) == clips
    context.resources.options = Options(word_clips=3)
    assert EVALUATOR.clips(context) == clips[:3]


def test_rates_are_jiwers_of_the_readings(context: EvalContext) -> None:
    clips = EVALUATOR.clips(context)[:2]
    normalise = EnglishTextNormalizer()
    texts, originals, outputs, rows = [], [], [], []
    for batch in context.batches(clips):
        waves = [0.3 * torch.roll(sample.wave, 9000) for sample in batch.samples]
        rows += output_rows("rolled", batch, waves, context)
        recogniser = context.resources.recogniser
        originals += read_originals(batch.samples, context)
        outputs += recogniser.transcribe(waves, ["en"] * len(waves))
        texts += [sample.clip.text for sample in batch.samples]
    table = pd.DataFrame(rows)
    text, original, output = (
        [normalise(one) for one in some]
        for some in (texts, [one.text for one in originals], [one.text for one in outputs])
    )
    assert rate(table, "rolled", "wer") == pytest.approx(jiwer.wer(text, output))
    assert rate(table, "rolled", "dwer") == pytest.approx(jiwer.wer(original, output))
    assert rate(table, "rolled", "cer") == pytest.approx(jiwer.cer(text, output))
    assert rate(table, "rolled", "dcer") == pytest.approx(jiwer.cer(original, output))
    assert rate(table, "rolled", "dwer") > 0


def test_the_text_of_a_clip_that_is_cut_is_not_used(context: EvalContext) -> None:
    clip = replace(EVALUATOR.clips(context)[0], duration=10.5)
    assert {metric for _, metric in EVALUATOR.cells(context, clip)} == {
        f"{metric}_{part}" for metric in ("dwer", "dcer") for part in ("errors", "total")
    }


def test_the_texts_likelihood_is_of_clips_with_a_text_and_failures_are_counted(
    context: EvalContext,
) -> None:
    batches = context.batches(EVALUATOR.clips(context))
    found = [sample for batch in batches for sample in batch.samples][:4]
    waves = [sample.wave.clone() for sample in found]
    assert len(waves) >= 3
    waves[0][100] = math.nan
    waves[1].zero_()
    unknown = replace(found[2], clip=replace(found[2].clip, text=""))
    samples = [*found[:2], unknown, *found[3:]]
    languages = ["en"] * len(samples)
    rows = {row.clip: row for row in nll_rows("noisy", samples, waves, languages, context)}
    assert set(rows) == {sample.name for sample in samples} - {unknown.name}
    assert {(row.condition, row.metric) for row in rows.values()} == {("noisy", "text_nll")}
    assert math.isnan(rows[samples[0].name].value)
    assert rows[samples[0].name].reason == "the wave holds NaN or infinity"
    originals = [sample.wave for sample in samples]
    clean = {row.clip: row for row in nll_rows("clean", samples, originals, languages, context)}
    assert rows[samples[1].name].value > clean[samples[1].name].value


def test_a_silent_original_is_no_reference(context: EvalContext, tmp_path: Path) -> None:
    batch = next(context.batches(EVALUATOR.clips(context)[:1]))
    sample = batch.samples[0]
    clip = replace(sample.clip, path=tmp_path / "silent.wav")
    batch.samples[0] = replace(sample, clip=clip, wave=torch.zeros_like(sample.wave))
    rows = output_rows("ceiling", batch, [read_audio(sample.clip.path)], context)
    failed = {row.metric: row.reason for row in rows if math.isnan(row.value)}
    assert failed == {
        f"{metric}_{part}": "original: silent"
        for metric in ("dwer", "dcer")
        for part in ("errors", "total")
    }
