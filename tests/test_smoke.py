"""The main job as a user types it, at size=debug on a few seconds of real speech."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

ROOT = Path(__file__).parents[1]
MANIFEST = ROOT / "tests" / "data" / "manifest.csv"
BIN = Path(sys.executable).parent
SMALL = ["size=debug", "data=filelist", f"data.train={MANIFEST}"]


RUN = ROOT / "experiments" / "run.py"
ENVIRONMENT = {
    "PATH": f"{BIN}:{os.environ['PATH']}",
    "MLFLOW_TRACKING_URI": "",
    "DCVAE_MLFLOW_PATIENCE": "300",  # for a machine that is busy
}


def call(folder: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command of this environment in `folder`."""
    return subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=os.environ | ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def python(commands) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a script or a module, as `python` would."""
    return partial(commands, **ENVIRONMENT)


@pytest.fixture(scope="module")
def train(python) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs experiments/run.py in a folder, on little speech."""
    return lambda folder, *overrides: python(folder, RUN, *SMALL, *overrides)


@pytest.fixture(scope="module")
def place(tmp_path_factory, train) -> Path:
    """A folder in which the baseline (through accelerate launch) and plain_ae were trained."""
    folder = tmp_path_factory.mktemp("work")
    launched = call(folder, "accelerate", "launch", RUN, *SMALL)
    assert launched.returncode == 0, launched.stderr
    assert train(folder, "ablation=plain_ae").returncode == 0
    return folder


def test_run_folder_describes_itself(place):
    folder = place / "runs" / "debug" / "baseline" / "seed0"
    record = json.loads((folder / "run.json").read_text())
    assert record["status"] == "finished"
    assert record["ablation"] == "baseline"
    assert record["claims"] == []
    assert record["budget"] is None
    assert record["config"]["model"]["noise"] == "uniform"
    assert record["floats_per_second"] == pytest.approx(430.66, abs=0.01)
    assert record["speech_seconds"] > 0
    assert record["mlflow"]["tracking_uri"] == "sqlite:///mlflow.db"
    for part in ("metrics.jsonl", "last/model.safetensors", "best/config.json", "states"):
        assert (folder / part).exists()


def test_mlflow_has_curves_params_and_the_checkpoint(place, monkeypatch):
    import mlflow

    monkeypatch.chdir(place)
    client = mlflow.MlflowClient("sqlite:///mlflow.db")
    experiment = client.get_experiment_by_name("dcvae")
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    run = runs["debug/baseline/seed0"]
    assert run.info.status == "FINISHED"
    assert run.data.params["model.noise_std"] == "0.5"
    assert run.data.params["parameters"]
    assert run.data.params["floats_per_second"].startswith("430.66")
    assert {"ablation", "size", "seed", "commit", "corpus"} <= set(run.data.tags)
    assert runs["debug/plain_ae/seed0"].data.tags["claim"]
    for child in (run, runs["debug/plain_ae/seed0"]):
        assert child.data.tags["mlflow.parentRunId"] == runs["debug"].info.run_id
    (used,) = run.inputs.dataset_inputs
    assert (used.dataset.name, used.tags[0].value) == ("manifest", "training")
    assert len(client.get_metric_history(run.info.run_id, "train/loss")) == 2
    names = [artifact.path for artifact in client.list_artifacts(run.info.run_id, "last")]
    assert names == ["last/README.md", "last/config.json", "last/model.safetensors"]
    kept = [artifact.path for artifact in client.list_artifacts(run.info.run_id, "validation")]
    assert {Path(path).suffix for path in kept} == {".png", ".wav"}


def test_mlflow_loads_the_best_checkpoint_as_a_model(place, monkeypatch):
    import mlflow
    import numpy as np
    import torch

    from dcvae import Codec, read_audio

    monkeypatch.chdir(place)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    monkeypatch.setattr(sys, "path", sys.path[:])  # to which loading adds the model's own code
    run = place / "runs" / "debug" / "baseline" / "seed0"
    run_id = json.loads((run / "run.json").read_text())["mlflow"]["run_id"]
    wave = read_audio(ROOT / "tests" / "data" / "en_pm_invalid_option.flac")[None]
    model = mlflow.pyfunc.load_model(f"runs:/{run_id}/best")
    output = model.predict({"audio": wave.numpy()})
    codec = Codec.from_pretrained(run / "best")
    assert output["audio"].shape == wave.shape
    assert output["latents"].shape == (1, 80, -(-wave.shape[1] // 4096))
    assert np.isfinite(output["audio"]).all()
    assert torch.equal(torch.tensor(output["latents"]), codec.encode(wave, 22050))
    assert torch.equal(torch.tensor(output["audio"]), codec.reconstruct(wave, 22050))


def test_checkpoints_carry_a_card(place):
    from huggingface_hub import ModelCard

    for name in ("last", "best"):
        folder = place / "runs" / "debug" / "baseline" / "seed0" / name
        card = ModelCard.load(folder / "README.md")
        assert card.data.language == ["en", "es", "fr", "it", "ru"]
        assert "6 clips" in card.text
        assert str(ROOT) not in card.text


def test_finished_run_is_not_trained_again(place, train):
    again = train(place)
    assert again.returncode == 0
    assert "finished (2 steps): nothing to train" in again.stdout


def test_another_configuration_does_not_mix_into_a_run(place, train):
    other = train(place, "model.noise_std=0.25")
    assert other.returncode == 2
    assert "model.noise_std=0.5, not 0.25" in other.stderr
    assert len(other.stderr.splitlines()) == 1


def test_analysis_and_report(place, python):
    folders = [f"runs/debug/{name}/seed0" for name in ("baseline", "plain_ae")]
    asked = ["--clips", "2", "--only", "quality,latents"]
    analysed = python(place, "-m", "analysis", *folders, *asked)
    assert analysed.returncode == 0, analysed.stderr
    table = pd.read_csv(place / folders[0] / "analysis" / "table.csv")
    columns = ["run", "ablation", "seed", "clip", "condition", "metric", "value", "reason"]
    assert list(table) == columns
    assert {"ceiling", "reconstruction", "untrained", "latents"} <= set(table.condition)
    again = python(place, "-m", "analysis", *folders, *asked)
    assert again.stderr.count("scored already, skipped") == 2
    run, parent = mlflow_runs(place)
    assert "analysis/reconstruction/stoi" in run.data.metrics
    tables = json.loads(parent.data.tags["mlflow.loggedArtifacts"])
    assert [Path(one["path"]).name for one in tables] == [
        "statistics.json", "claims.json", "interactions.json", "budget_changes.json",
    ]  # fmt: skip
    assert "| STOI ↑ |" in (place / folders[0] / "last" / "README.md").read_text()
    statistics = pd.read_csv(place / "runs" / "debug" / "statistics.csv")
    assert set(statistics.system) == {"baseline", "plain_ae"}
    claims = pd.read_csv(place / "runs" / "debug" / "claims.csv")
    assert list(claims.verdict) == ["not measured"] * 2  # noise was not asked for
    reported = python(place, "-m", "reports.build")
    assert reported.returncode == 0, reported.stderr
    page = (place / "reports" / "out" / "index.html").read_text()
    assert "plain_ae" in page
    assert "data:audio/" in page


def mlflow_runs(place: Path) -> list[Any]:
    """The baseline's MLflow run, and its parent."""
    import mlflow

    record = json.loads((place / "runs" / "debug" / "baseline" / "seed0" / "run.json").read_text())
    client = mlflow.MlflowClient(f"sqlite:///{place / 'mlflow.db'}")
    run = client.get_run(record["mlflow"]["run_id"])
    return [run, client.get_run(run.data.tags["mlflow.parentRunId"])]


def test_dcvae_reconstructs_a_file_with_the_trained_model(place, python):
    import soundfile

    source = ROOT / "tests" / "data" / "en_pm_invalid_option.flac"
    model = place / "runs" / "debug" / "baseline" / "seed0" / "last"
    done = python(place, BIN / "dcvae", "reconstruct", source, "out.wav", "--model", model)
    assert done.returncode == 0, done.stderr
    output, original = soundfile.info(place / "out.wav"), soundfile.info(source)
    assert (output.samplerate, output.frames) == (original.samplerate, original.frames)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["ablation=no_dispersve"], ["no_dispersve", "no_dispersive"]),
        (["size=huge"], ["huge", "tiny"]),
        (["model.noize=none"], ["noize"]),
        (["trainer.steps=many"], ["steps"]),
        (["+model.noize=none"], ["noize"]),
        (["+loader.wrokers=2"], ["wrokers"]),
        (["model.noise=pink"], ["pink", "uniform"]),
        (["precision=fp8"], ["fp8", "bf16"]),
        (["vocoder.name=wavenet"], ["wavenet", "griffin_lim"]),
        (["data.train=nowhere.txt"], ["nowhere.txt", "data.train"]),
        (["loader.batch_size=1000"], ["1000", "batch"]),
        (["adversary.patch=null", "adversary.bands=null"], ["adversary=null"]),
    ],
)
def test_a_wrong_option_is_one_line_and_status_2(tmp_path, train, overrides, words):
    failed = train(tmp_path, *overrides)
    assert failed.returncode == 2, failed.stderr
    assert len(failed.stderr.splitlines()) == 1, failed.stderr
    assert all(word in failed.stderr for word in words)
    assert not (tmp_path / "runs").exists()


FULL = [
    "size=full", "precision=no", "mlflow=null", "trainer.steps=1",
    "loader.batch_size=1", "loader.segment_frames=64", "loader.num_workers=0",
    "validation.clips.count=1", "validation.clips.max_seconds=1",
]  # fmt: skip


@pytest.fixture
def bigvgan_folder(tmp_path):
    """The published files of a BigVGAN with few channels and random weights."""
    bigvgan = pytest.importorskip("bigvgan")
    config = {
        "sampling_rate": 22050, "n_fft": 1024, "win_size": 1024, "hop_size": 256, "num_mels": 80,
        "fmin": 0, "fmax": None, "resblock": "1", "upsample_initial_channel": 64,
        "upsample_rates": [4, 4, 2, 2, 2, 2], "upsample_kernel_sizes": [8, 8, 4, 4, 4, 4],
        "resblock_kernel_sizes": [3, 7, 11], "resblock_dilation_sizes": [[1, 3, 5]] * 3,
        "activation": "snakebeta", "snake_logscale": True,
    }  # fmt: skip
    network = bigvgan.BigVGAN(bigvgan.env.AttrDict(config))
    (tmp_path / "bigvgan").mkdir()
    (tmp_path / "bigvgan" / "config.json").write_text(json.dumps(config))
    torch.save({"generator": network.state_dict()}, tmp_path / "bigvgan" / "bigvgan_generator.pt")
    return tmp_path / "bigvgan"


def test_full_size_trains_a_step_without_a_gpu(tmp_path, bigvgan_folder, train):
    """The published model and recipe, on a list of files and with the published vocoder."""
    paths = sorted((ROOT / "tests" / "data").glob("*.flac"))
    (tmp_path / "list.txt").write_text("".join(f"{path}\n" for path in paths))
    done = train(tmp_path, "data.train=list.txt", *FULL, "vocoder=bigvgan", "vocoder.path=bigvgan")
    folder = tmp_path / "runs" / "full-1steps" / "baseline" / "seed0"
    try:
        assert done.returncode == 0, done.stderr
        record = json.loads((folder / "run.json").read_text())
        assert record["status"] == "finished"
        assert record["config"]["vocoder"]["path"] == str(bigvgan_folder)
        assert 185e6 < record["parameters"] < 195e6
        row = json.loads((folder / "metrics.jsonl").read_text().splitlines()[0])
        assert {"train/reconstruction", "train/adversarial", "train/critic"} <= set(row)
        assert list((folder / "validation").glob("*.wav"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # 3 GB
