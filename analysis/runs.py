"""A run folder as the analysis sees it: what run.json says, and which weights to score."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcvae.checkpoint import CONFIG_NAME, WEIGHTS_NAME, checkpoint_sha256


class RunError(ValueError):
    """A run folder that cannot be scored; the message says why and what to do."""


@dataclass(frozen=True)
class Run:
    """One finished run: its labels, its checkpoint and what it was trained on."""

    folder: Path
    ablation: str
    size: str
    seed: int
    checkpoint: Path
    manifest: Path
    vocoder: dict[str, Any]  # load_vocoder's arguments
    steps: int = 0  # of training
    mlflow: dict[str, str] | None = None  # tracking_uri and run_id, where the run was tracked

    @property
    def name(self) -> str:
        return f"{self.size}/{self.ablation}/seed{self.seed}"

    @property
    def analysis(self) -> Path:
        return self.folder / "analysis"

    @property
    def study(self) -> Path:
        """The folder of all runs of this size: <study>/<ablation>/seed<N>."""
        return self.folder.absolute().parents[1]

    def checkpoint_sha256(self) -> str:
        return checkpoint_sha256(self.checkpoint)


def find_run(folder: Path, checkpoint: str = "last", manifest: Path | None = None) -> Run:
    """Read `folder`/run.json and check that everything the scoring needs is there.

    RunError (one line, naming the folder) for a folder that is missing, no run, unfinished or
    without that checkpoint, and for a manifest that is not where the run had it.
    """
    described = read_description(folder)
    if described.get("status") != "finished":
        raise RunError(
            f"{folder} is not finished (status {described.get('status')!r} in run.json):"
            " start the same training command again to resume it"
        )
    weights = folder / checkpoint
    for name in (CONFIG_NAME, WEIGHTS_NAME):
        if not (weights / name).is_file():
            raise RunError(
                f"{folder} has no checkpoint {checkpoint!r}: {weights / name} is missing"
            )
    try:
        run = Run(
            folder=folder,
            ablation=str(described["ablation"]),
            size=str(described["size"]),
            seed=int(described["seed"]),
            checkpoint=weights,
            manifest=Path(manifest or described["manifest"]),
            vocoder=vocoder_options(described.get("config") or {}),
            steps=int(described.get("steps") or 0),
            mlflow=described.get("mlflow") or None,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{folder / 'run.json'} has no usable entry {error}") from error
    if not run.manifest.is_file():
        raise RunError(
            f"{folder} was trained on {run.manifest}, which is not there:"
            " say where it lies now with --manifest PATH"
        )
    return run


def read_description(folder: Path) -> dict[str, Any]:
    """The object in `folder`/run.json."""
    if not folder.is_dir():
        raise RunError(f"{folder}: there is no such run folder")
    path = folder / "run.json"
    if not path.is_file():
        raise RunError(f"{folder} is no run folder: it has no run.json")
    return read_object(path)


def read_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file; RunError where it holds none."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RunError(f"{path} is damaged: {error}") from error
    if not isinstance(said, dict):
        raise RunError(f"{path} is damaged: it holds no object")
    return said


def vocoder_options(config: dict[str, Any]) -> dict[str, Any]:
    """load_vocoder's arguments as the run's config had them; its defaults where it had none."""
    vocoder = config.get("vocoder") or {"name": "griffin_lim"}
    return {key: value for key, value in vocoder.items() if key != "_target_"}
