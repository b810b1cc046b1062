"""Real speech for every test that needs some: short clips with their licence in tests/data."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from dcvae import read_audio
from dcvae.manifest import Clip, read_manifest

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def clips() -> list[Clip]:
    return read_manifest(DATA / "manifest.csv")


@pytest.fixture(scope="session")
def speech(clips: list[Clip]) -> Tensor:
    """Waves [4, T] of four clips, T a whole number of 64 frames."""
    waves = [read_audio(clip.path, stop=64 * 256 / 22050) for clip in clips[:4]]
    return torch.stack([torch.nn.functional.pad(w, (0, 64 * 256 - len(w))) for w in waves])
