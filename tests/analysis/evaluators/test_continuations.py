"""Continuations as they are heard: every row is there, and the best ones are kept as audio."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from analysis.asr.recogniser import Reading
from analysis.evaluators import continuations, latent_lm
from analysis.evaluators.continuations import EVALUATOR, own_words, rows_of
from analysis.latent_lm.continuation import CONDITIONS, Continuations, Prompt
from analysis.metrics.score import Score
from analysis.outputs.table import Row
from dcvae.audio.io import read_audio


@pytest.fixture
def make(make, set_budget, monkeypatch):
    set_budget(validation_hours=0.0, steps=4, curve=(), decoded=(4,), seeds=(0,))
    monkeypatch.setattr(continuations, "LONG", 32)  # the clips here are short
    monkeypatch.setattr(continuations, "CLIPS", 3)
    return make


def test_every_long_clip_has_its_rows_and_the_first_are_kept(make, corpus, measure):
    context = make(corpus)
    rows = measure(EVALUATOR, context)
    names = {clip.name for clip in continuations.long_clips(context)}
    assert names
    assert {row.clip for row in rows} == names
    for clip in continuations.long_clips(context):
        own = [(row.condition, row.metric) for row in rows if row.clip == clip.name]
        assert sorted(own) == sorted(EVALUATOR.cells(context, clip))
    folder = context.run.analysis / "continuations"
    kept = {path.name for path in folder.iterdir()}
    assert len(kept) == min(3, len(names))
    encoder = context.resources.voice_encoder
    values = {row[:3]: row.value for row in rows}
    for name in kept:
        waves = [read_audio(folder / name / f"{one}.wav") for one in ("original", "continuation")]
        assert len(waves[0]) == len(waves[1])
        with np.load(folder / name / "mel.npz") as mels:
            assert mels["original"].shape == mels["continuation"].shape
            assert mels["original"].shape == (80, len(waves[0]) // 256)
        prompt, spoken = (encoder.embed(part) for part in waves[0].tensor_split([128 * 256]))
        alike = values[name, "original", "continuation_similarity"]
        assert alike == pytest.approx(float(prompt @ spoken), abs=0.02)  # the file has 16 bits


def test_both_evaluators_draw_from_the_same_models(make, corpus, measure):
    context = make(corpus)
    measure(latent_lm.EVALUATOR, context)
    probe = context.probe
    after = measure(EVALUATOR, context)
    assert context.probe is probe
    assert after == measure(EVALUATOR, make(corpus))  # and alone it trains the same ones


def test_no_training_speech_gives_the_same_rows_with_the_reason(make, spoken, measure):
    rows = measure(EVALUATOR, make(spoken))
    assert {row.reason for row in rows} == {"the training split has no clip that can be used"}


def test_each_recogniser_has_its_own_rows_of_the_originals(make_context, spoken, monkeypatch):
    """They are kept for the runs to come, which may be heard with another one."""
    context = make_context(spoken, 1)
    context.resources.voice_encoder = None
    nothing = torch.zeros(0)
    outputs = [SimpleNamespace(waves=[nothing])]
    prompt = Prompt("a", nothing, nothing, nothing)
    found = Continuations([prompt], outputs=dict.fromkeys(CONDITIONS, outputs))

    def heard(condition, prompts, voices, waves, context):
        return [Row("a", condition, "continuation_nll", context.resources.recogniser.nll)]

    monkeypatch.setattr(continuations, "embed", lambda encoder, waves: [])
    monkeypatch.setattr(continuations, "heard", heard)
    read = []
    for name, nll in (("first", 1.0), ("second", 2.0), ("first", 3.0)):
        context.resources.recogniser = SimpleNamespace(name=name, nll=nll)
        (original, *_) = rows_of(found, [0], context)
        read.append([row.value for row in original])
    assert read == [[1.0], [2.0], [1.0]]


class Parrot:
    """Reads the same words in every wave, and none in a silent one."""

    def transcribe(self, waves, languages):
        return [
            Reading("hello" if bool(wave.any()) else " ", language)
            for wave, language in zip(waves, languages, strict=True)
        ]

    def text_nll(self, waves, languages, texts):
        assert set(texts) == {"hello"}
        return [Score(float(len(wave))) for wave in waves]


def test_a_wave_without_words_has_no_likelihood_of_them():
    waves = [torch.ones(3), torch.zeros(5), torch.ones(7)]
    found = own_words(Parrot(), waves, ["en", "en", "de"])
    assert [one.value for one in found[::2]] == [3, 7]
    assert found[1].reason == "no words are read"
