"""A logged model in a real MLflow store, as MLflow itself loads it."""

import subprocess
import sys

import pytest
import torch
from mlflow import MlflowClient

from dcvae import Codec, SpeechAutoencoder
from experiments.tracking import mlflow_model as logged_model
from experiments.tracking.mlflow_model import log_model, requirements, send_model

LOADED_ELSEWHERE = """
import sys
sys.path = [path for path in sys.path if path]
sys.meta_path = [one for one in sys.meta_path if "editable" not in repr(one).lower()]
import mlflow, numpy
model = mlflow.pyfunc.load_model(sys.argv[1])
output = model.predict({"audio": numpy.load("speech.npy")}, params={"sample_rate": 22050})
numpy.savez("output.npz", **output)
import dcvae
print(dcvae.__file__)
"""


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(0)
    layers = [0, 1, 1, 1, 1]
    model = SpeechAutoencoder(channels=[16] * 5, encoder_layers=layers, decoder_layers=layers)
    model.save_pretrained(tmp_path / "best")
    return tmp_path / "best"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"


@pytest.fixture(scope="module")
def client(store):
    return MlflowClient(store)


@pytest.fixture
def run(client, tmp_path):
    experiment = client.create_experiment(tmp_path.name, artifact_location=str(tmp_path / "store"))
    return client.create_run(experiment).info


def models(client, run):
    return client.search_logged_models([run.experiment_id])


def test_loads_where_dcvae_is_not_installed(
    tmp_path, checkpoint, store, client, run, speech, capfd
):
    import numpy as np

    log_model(client, run.run_id, checkpoint, "best", 7)
    assert capfd.readouterr() == ("", "")
    wave = speech[:1, :10000]
    np.save(tmp_path / "speech.npy", wave.numpy())
    uri = f"runs:/{run.run_id}/best"
    done = subprocess.run(
        [sys.executable, "-c", LOADED_ELSEWHERE, uri],
        cwd=tmp_path,
        env={"MLFLOW_TRACKING_URI": store, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("best/code/dcvae/__init__.py")
    output = np.load(tmp_path / "output.npz")
    codec = Codec.from_pretrained(checkpoint)
    assert output["audio"].shape == (1, 10000)
    assert output["latents"].shape == (1, 80, 3)
    # another process may have other threads; the front end's quietest bands keep three digits
    np.testing.assert_allclose(output["latents"], codec.encode(wave, 22050), rtol=0, atol=1e-3)
    assert np.isfinite(output["audio"]).all()


def test_the_checkpoint_is_in_it_once_and_nothing_is_pickled(tmp_path, checkpoint, client, run):
    log_model(client, run.run_id, checkpoint, "best", 7)
    files = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    (weights,) = [path for path in files if path.name == "model.safetensors"]
    assert not weights.is_symlink()
    assert weights.read_bytes() == (checkpoint / "model.safetensors").read_bytes()
    assert (weights.parent / "README.md").is_file()
    assert not [path for path in files if "pkl" in path.name or "__pycache__" in path.parts]
    (model,) = models(client, run)
    assert (model.name, model.status, model.source_run_id) == ("best", "READY", run.run_id)
    (logged,) = client.get_run(run.run_id).outputs.model_outputs
    assert (logged.model_id, logged.step) == (model.model_id, 7)


def test_a_link_in_a_checkpoint_is_left_out(tmp_path, checkpoint, client, run):
    (tmp_path / "private").write_text("of mine")
    (checkpoint / "notes.md").symlink_to(tmp_path / "private")
    log_model(client, run.run_id, checkpoint, "best", 7)
    names = [path.name for path in (tmp_path / "store").rglob("*")]
    assert "model.safetensors" in names
    assert "notes.md" not in names


def test_a_model_that_cannot_be_packaged_is_marked(checkpoint, client, run, monkeypatch):
    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(logged_model, "package", full)
    with pytest.raises(OSError, match="No space"):
        log_model(client, run.run_id, checkpoint, "best", 7)
    assert [model.status for model in models(client, run)] == ["FAILED"]


def test_a_model_is_sent_once_and_what_was_cut_off_is_removed(checkpoint, client, run, monkeypatch):
    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(logged_model, "package", full)
    with pytest.raises(OSError, match="No space"):
        send_model(client, run.run_id, checkpoint, "best", 7)
    monkeypatch.undo()
    assert send_model(client, run.run_id, checkpoint, "best", 7) == 1
    assert send_model(client, run.run_id, checkpoint, "best", 7) == 0
    (model,) = models(client, run)
    assert model.status == "READY"


def test_requirements_are_exact_and_can_be_had():
    found = dict(one.split("==") for one in requirements())
    assert {"torch", "safetensors", "mlflow"} <= set(found)
    assert found["torch"] == torch.__version__.partition("+")[0]
