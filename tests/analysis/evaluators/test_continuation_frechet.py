"""Continuations against real speech: every row is there, or says why it is not."""

import math
import re

import torch

from analysis.evaluators.continuation_frechet import EVALUATOR
from analysis.latent_lm.continuation import CONDITIONS, Continuations, Prompt, changes
from analysis.latent_lm.probe import Probe
from analysis.outputs.table import Row
from analysis.runner import evaluate
from analysis.stores.result_store import ResultStore
from dcvae.audio.io import write_audio
from dcvae.data.manifest import Clip

EVERY = {
    (condition, metric)
    for condition in CONDITIONS
    for metric in ("continuation_frechet", "continuation_change_frechet")
}


def cells(rows: list[Row]) -> set[tuple[str, str]]:
    return {(row.condition, row.metric) for row in rows}


def test_every_clip_has_its_rows_and_again_the_same(make, corpus, measure):
    context = make(corpus)
    rows = measure(EVALUATOR, context)
    assert rows == measure(EVALUATOR, make(corpus))
    assert len(rows) == len(context.clips) * len(EVERY)
    assert cells(rows) == EVERY
    assert {row.clip for row in rows} == {clip.name for clip in context.clips}
    scored = [row for row in rows if not row.reason]
    assert scored
    assert all(math.isfinite(row.value) for row in scored)
    assert {row.reason for row in rows} <= {"", "too short to be continued"}


def test_no_training_speech_gives_the_same_rows_with_the_reason(make, spoken, measure):
    rows = measure(EVALUATOR, make(spoken))  # all in the test split
    assert cells(rows) == EVERY
    assert len(rows) == 10 * len(EVERY)
    assert {row.reason for row in rows} == {"the training split has no clip that can be used"}


def test_a_clip_of_less_than_two_latent_frames_fails_alone(make, corpus, tmp_path, measure):
    write_audio(tmp_path / "short.wav", torch.rand(22050 // 4) - 0.5, 22050)
    short = Clip(tmp_path / "short.wav", 0.25, 22050, split="test")
    context = make(corpus)
    context.clips = [*context.clips, short]
    own = [row for row in measure(EVALUATOR, context) if row.clip == short.name]
    assert cells(own) == EVERY
    assert {row.reason for row in own} == {"shorter than 2 whole latent frames"}


def test_too_few_clips_to_continue_says_so(make, corpus, measure):
    context = make(corpus)
    context.clips = context.clips[:5]
    rows = measure(EVALUATOR, context)
    failed = [row for row in rows if math.isnan(row.value)]
    assert cells(failed) == EVERY
    assert {row.clip for row in failed} == {clip.name for clip in context.clips}
    assert all(
        re.fullmatch(r"\d held-out clips are long enough to be continued, 8 needed", row.reason)
        or row.reason == "too short to be continued"
        for row in failed
    )


def test_only_clips_without_a_prompt_are_too_short_and_unreadable_ones_are_counted(
    make_context, spoken, tmp_path
):
    """Ten clips whose models are there: eight are continued, the ninth is long, but one too many.

    An eleventh cannot be read, which the models' own evaluator has noted for itself alone.
    """
    context = make_context(spoken)
    names = [clip.name for clip in context.clips]
    generator = torch.Generator().manual_seed(0)
    mels = [torch.randn(80, 160, generator=generator) for _ in names]
    nothing = torch.zeros(0)
    prompts = [Prompt(*one, nothing) for one in zip(names[:9], mels, mels[:9], strict=False)]
    continued = Continuations(prompts[:8], {one: [mels[1:9]] for one in CONDITIONS})
    frames = dict.fromkeys(names, nothing)
    context.probe = Probe(None, frames, prompts, {}, {"modelability": None}, known=continued)
    context.clips.append(Clip(tmp_path / "gone.wav", 2.0, 22050, split="test"))
    store = ResultStore(tmp_path, EVALUATOR.name, {"settings": {}})
    evaluate(EVALUATOR, context.clips, context, store)
    found = {name: {row.reason for row in store.rows() if row.clip == name} for name in names}
    assert list(found.values()) == [{""}] * 8 + [set(), {"too short to be continued"}]
    gone = [row for row in store.rows() if row.clip == context.clips[-1].name]
    assert cells(gone) == EVERY
    assert all("no such audio file" in row.reason for row in gone)


def test_changes_are_differences_within_a_clip():
    rising = torch.arange(18.0).expand(3, -1)
    found = [one.tolist() for one in changes([rising, 2 * rising], 16)]
    assert found == [[[16] * 3] * 2, [[32] * 3] * 2]
