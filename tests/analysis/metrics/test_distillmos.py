"""DistillMOS equals its package's own direct call, and is NaN where there is nothing to rate."""

import io
import math
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
import soxr
import torch

from analysis.metrics.distillmos import distillmos_scores, library
from dcvae.audio.io import read_audio
from dcvae.data.manifest import read_manifest

pytest.importorskip("xls_r_sqa")

MANIFEST = Path(__file__).parents[2] / "data" / "manifest.csv"
RATE = 22050


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    return read_audio(read_manifest(MANIFEST)[0].path).numpy()


@pytest.fixture(scope="module")
def direct():
    """The package's own call on a wave [T] at 22,050 Hz."""
    with redirect_stdout(io.StringIO()):
        network = library().ConvTransformerSQAModel().eval()

    def call(wave: np.ndarray) -> float:
        resampled = torch.from_numpy(soxr.resample(wave, RATE, 16000).astype(np.float32))
        with torch.no_grad():
            return float(network(resampled[None]))

    return call


def opinion(wave: np.ndarray) -> float:
    return distillmos_scores(wave, wave, RATE)["distillmos"].value


@pytest.mark.parametrize("repeats", [1, 3])  # shorter and longer than a window
def test_it_is_the_packages_own_call(speech, direct, repeats: int) -> None:
    wave = np.tile(speech, repeats)
    assert opinion(wave) == pytest.approx(direct(wave), abs=1e-4)  # float32 of [1, 5]
    assert opinion(wave) == opinion(wave)


def test_noise_and_a_low_rate_cost_opinion(speech) -> None:
    noise = np.random.default_rng(0).standard_normal(len(speech)).astype(np.float32)
    narrow = soxr.resample(soxr.resample(speech, RATE, 4000), 4000, RATE)[: len(speech)]
    clean = opinion(speech)
    assert opinion(speech + 0.03 * noise) < clean - 0.3
    assert opinion(np.pad(narrow, (0, len(speech) - len(narrow)))) < clean - 0.3


@pytest.mark.parametrize(
    ("wave", "reason"),
    [
        (np.zeros(8000, np.float32), "the output is silent"),
        (np.full(8000, np.nan, np.float32), "the output holds NaN or infinity"),
        (np.zeros(0, np.float32), "the output is empty"),
    ],
)
def test_what_cannot_be_rated_says_why(wave, reason: str) -> None:
    score = distillmos_scores(wave, wave, RATE)["distillmos"]
    assert math.isnan(score.value)
    assert score.reason == reason


def test_its_module_imports_no_torch() -> None:
    """A worker of the pool that rates nothing pays nothing."""
    code = "import sys, analysis.metrics.distillmos; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
