"""Models and clips that say nothing: a table with reasons, through the command line."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from analysis.cli import main
from analysis.outputs.table import read_table
from dcvae import SpeechAutoencoder
from dcvae.data.manifest import Clip, read_manifest, write_manifest

ASKED = "latents,quality,channels,latent_noise,interpolation"


def scored(folder: Path) -> dict[tuple[str, str], list[tuple[float, str]]]:
    """What the command leaves, value and reason by condition and metric."""
    main([str(folder), "--clips", "6", "--only", ASKED, "--no-study"])
    table = read_table(folder / "analysis" / "table.csv")
    found: dict[tuple[str, str], list[tuple[float, str]]] = {}
    for row in table.itertuples():
        found.setdefault((row.condition, row.metric), []).append((row.value, row.reason))
    assert all(reason or math.isfinite(value) for some in found.values() for value, reason in some)
    return found


def test_a_collapsed_encoder(make_run, spoken: Path, tmp_path: Path) -> None:
    folder = make_run(tmp_path, spoken, "baseline", layernorm=False)
    model = SpeechAutoencoder.from_pretrained(folder / "last")
    with torch.no_grad():
        for parameter in model.backbone.encoder.parameters():
            parameter.zero_()
    model.save_pretrained(folder / "last")
    found = scored(folder)
    for metric in ("tsne_1", "tsne_2"):
        assert {reason for _, reason in found["latents", metric]} == {
            "the latents of all clips are alike"
        }
    assert all(math.isfinite(value) for value, _ in found["reconstruction", "mel_l1"])


@pytest.mark.parametrize("channels", [1, 8])
def test_one_latent_channel(make_run, spoken: Path, tmp_path: Path, channels: int) -> None:
    folder = make_run(tmp_path, spoken, "baseline", layernorm=False, latent_channels=channels)
    found = scored(folder)
    assert all(math.isfinite(value) for value, _ in found["latents", "tsne_1"])
    assert len([one for one in found if one[0].startswith("channel_")]) == 2 * channels


@pytest.mark.parametrize("wave_of", [np.zeros, np.ones], ids=["silent", "constant"])
def test_a_test_split_without_speech(
    make_run, spoken: Path, tmp_path: Path, wave_of: Callable[[int], np.ndarray]
) -> None:
    clips = []
    for number, clip in enumerate(read_manifest(spoken)):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, 0.5 * wave_of(33_000), 22_050)
        clips.append(Clip(path, 33_000 / 22_050, 22_050, clip.speaker, clip.language, "", "test"))
    write_manifest(tmp_path / "manifest.csv", clips)
    folder = make_run(tmp_path, tmp_path / "manifest.csv", "baseline")
    found = scored(folder)
    assert {reason for _, reason in found["latents", "tsne_1"]} == {
        "the latents of all clips are alike"
    }


def test_a_clip_that_stands_twice_is_told_before_it_is_scored(
    make_run, spoken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = spoken.read_text().splitlines()
    manifest = spoken.parent / "twice.csv"
    manifest.write_text("\n".join([*lines, lines[3]]) + "\n")
    folder = make_run(tmp_path, manifest, "baseline")
    with pytest.raises(SystemExit):
        main([str(folder), "--clips", "6", "--only", ASKED, "--no-study"])
    said = capsys.readouterr().err
    assert said.splitlines()[-1].endswith(
        f"{manifest} has {lines[3].partition(',')[0]} twice among the clips to score"
    )
    assert not (folder / "analysis" / "parts").exists()
