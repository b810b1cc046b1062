"""What the tests of evaluators that train models of latents share."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from analysis.resources import Options, Resources
from dcvae.data.manifest import read_manifest, write_manifest


@pytest.fixture(scope="package")
def resources() -> Iterator[Resources]:
    """One pool for all tests, whose processes take seconds to start; the budget is "test"."""
    options = Options(budget="test", robustness_clips=3, whisper="bundled-en")
    made = Resources(torch.device("cpu"), options)
    yield made
    made.close()


@pytest.fixture(scope="module")
def corpus(spoken: Path) -> Path:
    """The ten clips in every split: what is measured here is not how well it generalises."""
    clips = read_manifest(spoken)
    again = [
        dataclasses.replace(clip, split=split)
        for split in ("train", "validation", "test")
        for clip in clips
    ]
    path = spoken.parent / "all_splits.csv"
    write_manifest(path, again)
    return path
