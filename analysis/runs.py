"""A finished run with the checkpoint that is scored."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcvae.models.pretrained import CONFIG_NAME, WEIGHTS_NAME, checkpoint_sha256
from dcvae.runs import RECORD, Run, RunError, read_run


@dataclass(frozen=True)
class TrainedRun(Run):
    """A run that is finished, its checkpoint and what it was trained on."""

    checkpoint: Path
    manifest: Path
    vocoder: dict[str, Any]  # load_vocoder's arguments

    def checkpoint_sha256(self) -> str:
        return checkpoint_sha256(self.checkpoint)


def find_run(folder: Path, checkpoint: str = "last", manifest: Path | None = None) -> TrainedRun:
    """Read `folder`/run.json and check that everything the scoring needs is there.

    RunError (one line, naming the folder) for a folder that is missing, no run, unfinished or
    without that checkpoint, and for a manifest that is not where the run had it.
    """
    run = read_run(folder)
    if not run.is_finished:
        raise RunError(
            f"{folder} is not finished (status {run.status!r} in {RECORD}):"
            " start the same training command again to resume it"
        )
    weights = folder / checkpoint
    for name in (CONFIG_NAME, WEIGHTS_NAME):
        if not (weights / name).is_file():
            raise RunError(
                f"{folder} has no checkpoint {checkpoint!r}: {weights / name} is missing"
            )
    try:
        found = Path(manifest or run.record["manifest"])
        vocoder = vocoder_options(run.record.get("config") or {})
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{folder / RECORD} has no usable entry {error}") from error
    if not found.is_file():
        raise RunError(
            f"{folder} was trained on {found}, which is not there:"
            " say where it lies now with --manifest PATH"
        )
    return TrainedRun(folder, run.record, weights, found, vocoder)


def vocoder_options(config: dict[str, Any]) -> dict[str, Any]:
    """load_vocoder's arguments as the run's config had them; its defaults where it had none."""
    vocoder = config.get("vocoder") or {"name": "griffin_lim"}
    return {key: value for key, value in vocoder.items() if key != "_target_"}
