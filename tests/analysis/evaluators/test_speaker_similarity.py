"""Voices: the library's own embeddings, the same voice near, another far, failures counted."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from analysis.evaluators.speaker_encoder import load_voice_encoder
from analysis.evaluators.speaker_similarity import EVALUATOR, embed, error_rate, similarity
from dcvae.audio.io import read_audio
from dcvae.data.manifest import read_manifest


@pytest.fixture(scope="module")
def encoder():
    return load_voice_encoder(torch.device("cpu"))


def test_embeddings_are_the_librarys(encoder, spoken: Path) -> None:
    import resemblyzer

    wave = read_audio(read_manifest(spoken)[0].path)
    expected = resemblyzer.VoiceEncoder("cpu", verbose=False).embed_utterance(
        resemblyzer.preprocess_wav(wave.numpy(), 22050)
    )
    # unit vectors of a recurrent network: 160 steps of three layers in float32, in other batches
    np.testing.assert_allclose(encoder.embed(wave), expected, rtol=0, atol=1e-5)


def test_a_voice_is_nearer_to_itself_than_to_others(encoder, spoken: Path) -> None:
    clips = read_manifest(spoken)
    voices = embed(encoder, [read_audio(clip.path) for clip in clips])
    speakers = [clip.speaker for clip in clips]
    assert similarity(voices[0], voices[0]).value == pytest.approx(1, abs=1e-5)
    alike, unlike = [], []
    for i, first in enumerate(speakers):
        for j, second in enumerate(speakers[:i]):
            value = similarity(voices[i], voices[j]).value
            (alike if first == second else unlike).append(value)
    assert np.mean(alike) > np.mean(unlike)
    assert error_rate(voices, voices, speakers).value < 0.3


@pytest.mark.parametrize(
    ("wave", "reason"),
    [
        (torch.zeros(22050), "silent"),
        (torch.full((22050,), math.nan), "NaN"),
        (torch.zeros(0), "empty"),
        (0.001 * torch.ones(2205), "no speech"),
    ],
)
def test_what_holds_no_voice_is_nan_with_the_reason(encoder, wave, reason: str) -> None:
    ((embedding, why),) = embed(encoder, [wave])
    assert embedding is None
    assert reason in why
    result = similarity((np.ones(256, dtype=np.float32), ""), (embedding, why))
    assert math.isnan(result.value)
    assert reason in result.reason


def test_one_speaker_has_no_error_rate() -> None:
    voices = [(np.eye(3)[i], "") for i in range(3)]
    assert math.isnan(error_rate(voices, voices, ["a"] * 3).value)
    unlabelled = error_rate(voices, voices, [""] * 3)
    assert math.isnan(unlabelled.value)
    assert "speaker" in unlabelled.reason


def test_the_evaluator_gives_every_clip_its_rows(spoken: Path, make_context, measure) -> None:
    context = make_context(spoken, 4)
    rows = measure(EVALUATOR, context)
    cells = {(row.clip, row.condition) for row in rows if row.metric == "speaker_similarity"}
    assert len(cells) == 4 * len(EVALUATOR.cells(context, context.clips[0]))
    assert {row.condition for row in rows if row.metric == "speaker_eer"} == {
        "original",
        "ceiling",
        "reconstruction",
    }
