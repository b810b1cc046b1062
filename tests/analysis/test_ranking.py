"""A trained checkpoint ranks above an untrained one, on every evaluator of quality."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch

from analysis.cli import main
from analysis.outputs.table import read_table, summarise
from dcvae import LogMel, SpeechAutoencoder
from dcvae.audio.io import read_audio
from dcvae.data.manifest import read_manifest
from dcvae.models.losses import reconstruction_loss

MODEL = {
    "compression": 8,
    "latent_channels": 8,
    "channels": (16, 32, 64, 64),
    "encoder_layers": (0, 1, 1, 1),
    "decoder_layers": (0, 1, 1, 1),
    "mel_mean": -5.0,
    "mel_std": 2.2,
    "noise_std": 0.3,
}
STEPS = 150
CROP = 32  # frames
# So short a training leaves PESQ at its floor, and few frames that are voiced in both.
UP = ("stoi", "estoi", "visqol", "speaker_similarity")
DOWN = ("mel_l1", "mcd", "voicing_error")


def train(model: SpeechAutoencoder, mels: torch.Tensor) -> None:
    """Fit crops of the mels [B, M, F]: it is enough that the model knows these clips."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, STEPS)
    model.train()
    for _ in range(STEPS):
        start = int(torch.randint(0, mels.shape[2] - CROP + 1, ()))
        crops = mels[..., start : start + CROP]
        optimizer.zero_grad()
        loss = reconstruction_loss(model(crops).mel, crops)
        loss.backward()
        optimizer.step()
        schedule.step()
    model.eval()


@pytest.fixture(scope="module")
def means(tmp_path_factory, spoken: Path, make_run) -> dict[str, pd.Series]:
    """Every mean of the same architecture untrained and trained, as `python -m analysis` has it."""
    root = tmp_path_factory.mktemp("ranking")
    torch.manual_seed(0)
    waves = [read_audio(clip.path, stop=1.3) for clip in read_manifest(spoken)]
    mels = LogMel()(torch.stack([torch.nn.functional.pad(w, (0, 28672 - len(w))) for w in waves]))
    noises = {"baseline": "uniform", "trained": "uniform", "without_noise": "none"}
    folders = {
        name: make_run(root, spoken, name, **MODEL, noise=noise) for name, noise in noises.items()
    }
    for name in ("trained", "without_noise"):
        model = SpeechAutoencoder.from_pretrained(folders[name] / "last")
        train(model, mels)
        shutil.rmtree(folders[name] / "last")
        model.save_pretrained(folders[name] / "last")
    asked = "quality,pitch,visqol,speaker,latent_noise,latent_noise_audio,round_trips,interpolation"
    options = ["--clips", "6", "--robustness-clips", "2", "--whisper", "bundled-en"]
    first, second, third = map(str, folders.values())
    main([first, second, "--only", asked, *options, "--device", "cpu"])
    main([third, "--only", "latent_noise", *options, "--device", "cpu"])
    found = {}
    for name, folder in folders.items():
        summary = summarise(read_table(folder / "analysis" / "table.csv"))
        found[name] = summary.set_index(["condition", "metric"])["mean"]
    return found


@pytest.mark.parametrize("metric", [*UP, *DOWN])
def test_training_pays_on_the_reconstruction(means, metric: str) -> None:
    trained, untrained = (means[name]["reconstruction", metric] for name in ("trained", "baseline"))
    assert trained > untrained if metric in UP else trained < untrained


@pytest.mark.parametrize(
    "cell",
    [
        ("latent_noise_0.5", "mel_l1"),
        ("latent_noise_per_dim_0.5", "mel_l1"),
        ("latent_noise_0.5", "text_nll"),
        ("round_trip_8", "mel_l1"),
        ("reconstruction", "mel_frechet"),
        ("interpolation", "mel_frechet"),
    ],
)
def test_training_pays_under_noise_and_beyond(means, cell: tuple[str, str]) -> None:
    assert means["trained"][cell] < means["baseline"][cell]


@pytest.mark.parametrize("metric", ["stoi", "speaker_similarity"])
def test_training_pays_for_what_is_heard_under_noise(means, metric: str) -> None:
    cell = "latent_noise_0.5", metric
    assert means["trained"][cell] > means["baseline"][cell]


def test_noise_costs_less_where_training_had_it(means) -> None:
    """At the scale of the space: at each dim's, noise has less power where dims are unlike."""
    cell = "latent_noise_area", "mel_l1_rise"
    assert 0 < means["trained"][cell] < means["without_noise"][cell]


def test_nothing_is_better_than_the_ceiling(means) -> None:
    trained = means["trained"]
    for metric in ("pesq_wb", "stoi", "visqol", "speaker_similarity"):
        assert trained["ceiling", metric] > trained["reconstruction", metric]
