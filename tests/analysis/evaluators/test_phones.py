"""The phone probe: near its best on frames that hold the phone, at chance on shuffled ones."""

import math
from dataclasses import replace

import numpy as np
import pytest

from analysis.evaluators import phones
from analysis.evaluators.phones import EVALUATOR, Spoken, common_labels, pool_mel, probe_rows
from analysis.outputs.table import Row

pytest.importorskip("pocketsphinx")
NAMES = ("AH", "IY", "S", "T")


def spoken_clips(hold: float, clips: int = 30) -> list[Spoken]:
    """Frames [20, 6] of clips, which hold their phone at a signal-to-noise ratio."""
    rng = np.random.default_rng(0)
    found = []
    for clip in range(clips):
        labels = rng.integers(0, len(NAMES), size=20)
        frames = hold * np.eye(6)[labels] + rng.normal(size=(20, 6))
        found.append(Spoken(str(clip), {"latents": frames}, np.array(NAMES)[labels]))
    return found


def mean(rows: list[Row]) -> float:
    return float(np.mean([row.value for row in rows]))


def test_frames_that_hold_the_phone_and_frames_that_do_not() -> None:
    assert mean(probe_rows("latents", spoken_clips(hold=12))) > 0.99
    chance = 1 / len(NAMES)
    error = math.sqrt(chance * (1 - chance) / 600)  # of a share of 600 frames
    assert mean(probe_rows("latents", spoken_clips(hold=0))) == pytest.approx(chance, abs=4 * error)


def test_a_phone_of_fewer_clips_than_folds_is_left_out() -> None:
    labels = np.array(["AH"] * 6 + ["ZH"] * 6)
    clips = np.array([*"abcdef", *"abcddd"])
    assert common_labels(labels, clips) == ["AH"]
    rare = spoken_clips(hold=12)
    rare[0] = rare[0]._replace(labels=np.full(20, "ZH"))
    rows = {row.clip: row for row in probe_rows("latents", rare)}
    assert rows["0"].reason == phones.RARE
    assert not rows["1"].reason


def test_the_mel_is_pooled_as_the_latents_are() -> None:
    mel = np.arange(10.0).reshape(1, 10)
    np.testing.assert_allclose(pool_mel(mel, 3, 4), [[1.5], [5.5], [8.5]])


def test_frames_of_a_rate_that_is_none_of_the_mels_begin_where_their_time_does() -> None:
    """2.5 mel frames a latent frame: from 0, 2, 5, 7 and, filled up beyond the end, 10."""
    mel = np.arange(9.0).reshape(1, 9)
    means = [0.5, 3.0, 5.5, 7.5, 8.0]
    np.testing.assert_allclose(pool_mel(mel, 5, 2.5)[:, 0], means)


def test_every_english_clip_with_text_has_its_rows(spoken, make_context, measure) -> None:
    context = make_context(spoken)
    clips = EVALUATOR.clips(context)
    assert {clip.language for clip in clips} == {"en"}
    clips[0] = replace(clips[0], text="glimbwort")
    rows = measure(EVALUATOR, context, clips)
    cells = {(row.clip, row.condition, row.metric) for row in rows if row.clip}
    expected = EVALUATOR.cells(context, clips[0])
    assert cells == {(clip.name, *cell) for clip in clips for cell in expected}
    by_clip = {row.clip: row for row in rows if row.condition == "latents"}
    assert by_clip[clips[0].name].reason == "the dictionary has no 'glimbwort'"
    names = [clip.name for clip in clips]
    assert context.references.has("phones", names)
