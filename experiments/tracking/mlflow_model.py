"""A checkpoint as a model that MLflow loads, serves and registers: audio to audio and latents.

It is loaded by the name of a module of ours (dcvae/inference/mlflow_pyfunc.py), which travels with
it, so that nothing is pickled and dcvae need not be installed where it is served.
"""

import tempfile
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dcvae
from dcvae.utils.files import is_own_file
from experiments.tracking.mlflow_client import check_artifacts

if TYPE_CHECKING:
    from mlflow.models import Model, ModelSignature

LOADER = "dcvae.inference.mlflow_pyfunc"
LIBRARIES = ("mlflow", "numpy", "torch", "safetensors", "soundfile", "soxr")
OPTIONAL = ("torchcodec", "bigvgan")  # as far as they are installed here


def send_model(client: Any, run_id: str, checkpoint: Path, name: str, step: int) -> int:
    """Log a checkpoint as `log_model` does unless the run has that model; how many that took.

    What an attempt that was cut off has left there is removed.
    """
    run = client.get_run(run_id)
    chosen = f"name = '{name}' AND source_run_id = '{run_id}'"
    there = client.search_logged_models([run.info.experiment_id], chosen)
    linked = {output.model_id for output in run.outputs.model_outputs} if run.outputs else set()
    whole = [model for model in there if model.status == "READY" and model.model_id in linked]
    if whole:
        return 0
    for model in there:
        client.delete_logged_model(model.model_id)
    log_model(client, run_id, checkpoint, name, step)
    return 1


def log_model(client: Any, run_id: str, checkpoint: Path, name: str, step: int) -> None:
    """Log a checkpoint folder as the run's model `name`: load_model("runs:/RUN_ID/NAME").

    The client alone is used, no active run. The weights are copied once, into the store.
    """
    from mlflow.entities import LoggedModelOutput
    from mlflow.models import Model

    experiment = client.get_run(run_id).info.experiment_id
    made = client.create_logged_model(experiment, name, run_id)
    model_id = made.model_id
    status = "FAILED"
    try:
        check_artifacts(client.tracking_uri, made.artifact_location)
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / name
            package(checkpoint, folder, Model(run_id=run_id, model_id=model_id))
            client.log_model_artifacts(model_id, str(folder))
        client.log_outputs(run_id, [LoggedModelOutput(model_id, step)])
        status = "READY"
    finally:
        client.finalize_logged_model(model_id, status)


def package(checkpoint: Path, folder: Path, model: "Model") -> None:
    """Write what MLflow wants around a checkpoint, whose files are linked and not copied."""
    import mlflow.pyfunc

    from dcvae.inference.mlflow_pyfunc import CHECKPOINT  # imports torch, as little else here

    with warnings.catch_warnings():  # of the example that it has not, and needs not
        warnings.simplefilter("ignore")
        mlflow.pyfunc.save_model(
            str(folder),
            loader_module=LOADER,
            code_paths=[str(Path(dcvae.__file__).parent)],
            mlflow_model=model,
            signature=signature(),
            pip_requirements=requirements(),
        )
    (folder / CHECKPOINT).mkdir()
    own = [file for file in checkpoint.iterdir() if is_own_file(file, checkpoint.parent)]
    for file in own:
        (folder / CHECKPOINT / file.name).symlink_to(file.resolve())
    files = (path for path in folder.rglob("*") if path.is_file())
    model.model_size_bytes = sum(file.stat().st_size for file in files)
    model.save(str(folder / "MLmodel"))


def signature() -> "ModelSignature":
    """Audio [B, T] to audio [B, T] and latents [B, C * H, L], with `DEFAULTS` as parameters."""
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import DataType, ParamSchema, ParamSpec, Schema, TensorSpec

    from dcvae.inference.mlflow_pyfunc import DEFAULTS

    kinds = {int: DataType.long, str: DataType.string}
    params = [ParamSpec(name, kinds[type(value)], value) for name, value in DEFAULTS.items()]
    audio = TensorSpec(np.dtype("float32"), (-1, -1), "audio")
    latents = TensorSpec(np.dtype("float32"), (-1, -1, -1), "latents")
    return ModelSignature(Schema([audio]), Schema([audio, latents]), ParamSchema(params))


def requirements() -> list[str]:
    """What loading it takes, in the versions at hand; asking MLflow to find out takes long."""
    found = []
    for name in (*LIBRARIES, *OPTIONAL):
        try:
            found.append(f"{name}=={version(name).partition('+')[0]}")  # without +cpu
        except PackageNotFoundError:
            if name in LIBRARIES:
                found.append(name)
    return found
