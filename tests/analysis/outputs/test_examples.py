"""Which clips are kept as audio."""

from pathlib import Path

import pytest
import torch

from analysis.context import EvalContext
from analysis.outputs.examples import EXAMPLES, candidates, examples
from dcvae.audio.io import write_audio
from dcvae.data.manifest import Clip, read_manifest, write_manifest

RATE = 22050


@pytest.fixture
def context(make_context, spoken: Path, tmp_path: Path) -> EvalContext:
    """Of nine spoken clips, and a silent one that is asked for first."""
    write_audio(tmp_path / "silent.wav", torch.zeros(2 * RATE), RATE)
    silent = Clip(tmp_path / "silent.wav", 2.0, RATE, split="test")
    write_manifest(tmp_path / "manifest.csv", [silent, *read_manifest(spoken)[:9]])
    return make_context(tmp_path / "manifest.csv")


def test_the_first_audible_candidates_are_kept_and_no_others_vocoded(context: EvalContext) -> None:
    wanted = candidates(context.clips)
    assert wanted[0].path.name == "silent.wav"
    kept = [sample.name for sample, *_ in examples(context)]
    assert kept == [clip.name for clip in wanted[1 : EXAMPLES + 1]]
    vocoded = {name for kind, name in context.cache.known if kind == "ceiling"}
    assert vocoded == {clip.name for clip in wanted[: EXAMPLES + 1]}
