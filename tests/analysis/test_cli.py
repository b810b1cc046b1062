"""python -m analysis on small runs: what is written, skipped, counted and refused."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from analysis.cli import main
from analysis.reconstruct import (
    Sample,
    batches,
    encode,
    latent_noise,
    latent_std,
    pad_mels,
    untrained_twin,
)
from analysis.table import read_table, summarise
from dcvae import LogMel, SpeechAutoencoder
from dcvae.audio import read_audio, write_audio
from dcvae.manifest import Clip, read_manifest, write_manifest
from dcvae.mel import HOP

DATA = Path(__file__).parents[1] / "data" / "manifest.csv"
TINY = {"channels": (8,) * 5, "latent_channels": 8, "encoder_layers": (1,) * 5}


def tiny_model(**options: object) -> SpeechAutoencoder:
    torch.manual_seed(0)
    return SpeechAutoencoder(**{**TINY, "decoder_layers": (1,) * 5, **options}).eval()


def make_run(root: Path, manifest: Path, ablation: str, **options: object) -> Path:
    """A finished run folder around an untrained model."""
    folder = root / "debug" / ablation / "seed0"
    tiny_model(**options).save_pretrained(folder / "last")
    described = {
        "ablation": ablation,
        "size": "debug",
        "seed": 0,
        "status": "finished",
        "manifest": str(manifest),
        "config": {"vocoder": {"_target_": "dcvae.load_vocoder", "iterations": 2}},
    }
    (folder / "run.json").write_text(json.dumps(described))
    return folder


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two spoken clips, a silent one and one that is gone, all in the test split."""
    folder = tmp_path_factory.mktemp("corpus")
    clips = []
    for number, clip in enumerate(read_manifest(DATA)[:2]):
        write_audio(folder / f"spoken{number}.wav", read_audio(clip.path, stop=2.0), 22050)
        clips.append(Clip(folder / f"spoken{number}.wav", 2.0, 22050, split="test"))
    write_audio(folder / "silent.wav", torch.zeros(22050), 22050)
    clips.append(Clip(folder / "silent.wav", 1.0, 22050, split="test"))
    clips.append(Clip(folder / "gone.wav", 1.5, 22050, split="test"))
    write_manifest(folder / "manifest.csv", clips)
    return folder / "manifest.csv"


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory, manifest: Path) -> list[Path]:
    """Two runs scored in one call."""
    root = tmp_path_factory.mktemp("runs")
    runs = [
        make_run(root, manifest, "baseline"),
        make_run(root, manifest, "no_noise", noise="none"),
    ]
    main([*map(str, runs), "--clips", "4", "--device", "cpu"])
    return runs


def test_every_clip_has_a_row_for_every_metric_and_failures_are_counted(
    scored: list[Path],
) -> None:
    for folder in scored:
        table = read_table(folder / "analysis" / "table.csv")
        assert set(table["run"]) == {f"debug/{folder.parent.name}/seed0"}
        summary = summarise(table).set_index(["condition", "metric"])
        assert set(summary.index) == {
            ("ceiling", "pesq_wb"),
            ("ceiling", "stoi"),
            ("reconstruction", "mel_l1"),
            ("reconstruction", "pesq_wb"),
            ("reconstruction", "stoi"),
            ("untrained", "mel_l1"),
            ("latent_noise_0.5", "mel_l1"),
            ("latent_noise_1.0", "mel_l1"),
        }
        assert set(summary["n_scored"]) == {2}
        assert set(summary["n_failed"]) == {2}


def test_the_ceiling_is_the_same_for_both_runs_and_above_an_untrained_model(
    scored: list[Path],
) -> None:
    first, second = (read_table(folder / "analysis" / "table.csv") for folder in scored)
    ceilings = [one[one["condition"] == "ceiling"]["value"].to_numpy() for one in (first, second)]
    np.testing.assert_array_equal(*ceilings)
    means = summarise(first).set_index(["condition", "metric"])["mean"]
    assert means["ceiling", "stoi"] > means["reconstruction", "stoi"]


def test_examples_are_whole_and_cut_alike(scored: list[Path]) -> None:
    examples = sorted((scored[0] / "analysis" / "examples").iterdir())
    assert len(examples) == 2
    for folder in examples:
        waves = [
            read_audio(folder / f"{name}.wav") for name in ("original", "ceiling", "reconstruction")
        ]
        mels = np.load(folder / "mel.npz")
        assert {len(wave) for wave in waves} == {mels["original"].shape[1] * HOP}
        assert mels["original"].shape == mels["reconstruction"].shape


def test_a_second_call_skips_and_new_weights_or_clips_do_not(
    scored: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "debug" / "baseline" / "seed0"
    shutil.copytree(scored[0], folder)
    table = folder / "analysis" / "table.csv"
    before = table.stat().st_mtime_ns
    main([str(folder), "--clips", "4", "--device", "cpu"])
    assert "scored already, skipped" in capsys.readouterr().err
    assert table.stat().st_mtime_ns == before
    main([str(folder), "--clips", "3", "--device", "cpu"])
    assert "skipped" not in capsys.readouterr().err
    assert read_table(table)["clip"].nunique() == 3
    tiny_model(noise_std=0.1).save_pretrained(folder / "last")
    main([str(folder), "--clips", "3", "--device", "cpu"])
    assert "skipped" not in capsys.readouterr().err


def test_a_clip_is_scored_alike_whatever_else_is_in_the_set(scored: list[Path]) -> None:
    log_mel, model = LogMel(), tiny_model()
    waves = [read_audio(clip.path) for clip in read_manifest(DATA)[:3]]
    samples = [Sample(str(i), wave, log_mel(wave[None])[0]) for i, wave in enumerate(waves)]
    together = {
        sample.name: row
        for group in batches(samples)
        for sample, row in zip(group, encode(model, group, torch.device("cpu")), strict=True)
    }
    alone = encode(model, samples[:1], torch.device("cpu"))[0]
    torch.testing.assert_close(together["0"], alone, atol=1e-4, rtol=1e-4)
    assert sorted(sample.name for group in batches(samples) for sample in group) == ["0", "1", "2"]
    assert all(pad_mels(group).shape[2] % 64 == 0 for group in batches(samples))


def test_latent_noise_is_fixed_by_the_clip_and_std_leaves_padding_out() -> None:
    samples = [Sample(name, torch.zeros(0), torch.zeros(80, 33)) for name in ("a", "b")]
    latents = torch.zeros(2, 4, 5, 4)
    latents[..., 3:] = 100  # beyond ceil(33 / 16) = 3 latent frames
    latents[0, ..., :3] = 1
    noise = latent_noise(latents, samples)
    assert torch.equal(noise[1:], latent_noise(latents[1:], samples[1:]))
    assert not torch.equal(noise[0], noise[1])
    expected = latents[..., :3].double().std().item()
    assert math.isclose(latent_std([latents], [samples], 16), expected)


def test_the_untrained_twin_repeats_and_leaves_the_generator_alone() -> None:
    model = tiny_model()
    state = torch.random.get_rng_state()
    first, second = untrained_twin(model), untrained_twin(model)
    assert torch.equal(state, torch.random.get_rng_state())
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (shutil.rmtree, "there is no such run folder"),
        (lambda run: (run / "run.json").unlink(), "it has no run.json"),
        (lambda run: (run / "run.json").write_text("{"), "is damaged"),
        (lambda run: edit(run, status="running"), "not finished"),
        (lambda run: edit(run, manifest="/moved/manifest.csv"), "--manifest PATH"),
        (lambda run: edit(run, seed="none"), "no usable entry"),
        (lambda run: shutil.rmtree(run / "last"), "has no checkpoint 'last'"),
        (lambda run: (run / "last" / "model.safetensors").write_bytes(b"x"), "is damaged"),
        (lambda run: edit(run, config={"vocoder": {"name": "wavenet"}}), "no vocoder is named"),
    ],
)
def test_a_run_that_cannot_be_scored_is_one_line_and_status_2(
    tmp_path: Path, manifest: Path, capsys: pytest.CaptureFixture[str], spoil, message: str
) -> None:
    run = make_run(tmp_path, manifest, "baseline")
    spoil(run)
    with pytest.raises(SystemExit) as stop:
        main([str(run), "--clips", "2", "--device", "cpu"])
    assert stop.value.code == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert message in lines[0]
    assert not (run / "analysis").exists()


def edit(run: Path, **changes: object) -> None:
    described = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**described, **changes}))


def test_a_corpus_that_is_gone_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clips = [Clip(tmp_path / f"gone{i}.wav", 2.0, 22050, split="test") for i in range(3)]
    write_manifest(tmp_path / "manifest.csv", clips)
    run = make_run(tmp_path, tmp_path / "manifest.csv", "baseline")
    with pytest.raises(SystemExit):
        main([str(run), "--device", "cpu"])
    assert "none of the 3 test clips can be read" in capsys.readouterr().err
