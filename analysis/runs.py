"""What is scored, as a folder: a finished run of training, or a system on a manifest."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from analysis.systems.pairs import find_pairs
from analysis.systems.specs import PAIRS, Spec, autoencoder, load_system
from analysis.systems.system import System, SystemFault
from dcvae.models.pretrained import CONFIG_NAME, WEIGHTS_NAME
from dcvae.runs import FINISHED, RATES, RECORD, Run, RunError, read_run, shown
from dcvae.utils.files import replace_json
from dcvae.vocoders import Vocoder

SEED = 0  # of a system that has none


@dataclass(frozen=True)
class ScoredRun(Run, ABC):
    """A system with the manifest whose clips it is scored on, and the folder of its results."""

    manifest: Path
    vocoder: dict[str, Any]  # load_vocoder's arguments, of the ceiling

    @abstractmethod
    def load(self, vocoder: Vocoder, device: torch.device) -> System:
        """The system; ValueError where it cannot be had."""

    @abstractmethod
    def arguments(self) -> list[str]:
        """What names it on the command line of the analysis."""

    def describe(self, system: System) -> None:
        """Note in the folder what is scored, where no training has."""


@dataclass(frozen=True)
class TrainedRun(ScoredRun):
    """A run that is finished, its checkpoint and what it was trained on."""

    checkpoint: Path

    def load(self, vocoder: Vocoder, device: torch.device) -> System:
        return autoencoder(self.checkpoint, vocoder, device)

    def arguments(self) -> list[str]:
        moved = str(self.manifest) != self.record.get("manifest")
        where = ["--manifest", shown(self.manifest)] if moved else []
        return [shown(self.folder), "--checkpoint", self.checkpoint.name, *where]


@dataclass(frozen=True)
class SystemRun(ScoredRun):
    """A system that was not trained here: a codec, a vocoder, a run on other clips."""

    spec: Spec

    def load(self, vocoder: Vocoder, device: torch.device) -> System:
        return load_system(self.spec, vocoder, device)

    def arguments(self) -> list[str]:
        where = [] if self.spec.kind == PAIRS else ["--manifest", shown(self.manifest)]
        return ["--system", self.spec.named, *where, "--out", shown(self.folder.parents[1])]

    def describe(self, system: System) -> None:
        replace_json(self.folder / RECORD, {**self.record, RATES: system.rates.as_dict()})


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
    return TrainedRun(folder, run.record, found, vocoder, weights)


def vocoder_options(config: dict[str, Any]) -> dict[str, Any]:
    """load_vocoder's arguments as the run's config had them; its defaults where it had none."""
    vocoder = config.get("vocoder") or {"name": "griffin_lim"}
    return {key: value for key, value in vocoder.items() if key != "_target_"}


def find_system(
    text: str, out: Path, manifest: Path | None, vocoder: Mapping[str, Any]
) -> SystemRun:
    """A system as a user writes it, with its results in `out`/NAME/seed0.

    SystemFault where its kind is unknown, or no manifest says on what it is to be scored.
    """
    spec = Spec.parse(text)
    folder = out / spec.slug / f"seed{SEED}"
    if spec.kind == PAIRS:
        manifest = folder / "pairs.csv"
        find_pairs(spec.place).write_manifest(manifest)
    elif manifest is not None and (manifest / RECORD).is_file():
        manifest = Path(read_run(manifest).record["manifest"])
    elif manifest is None:
        raise SystemFault(f"{spec.text}: say on what it is to be scored, with --manifest")
    record = {
        "ablation": spec.slug,
        "title": spec.name,
        "size": out.absolute().name,
        "seed": SEED,
        "status": FINISHED,
        "spec": spec.text,
        "manifest": str(manifest.absolute()),
        "config": {"vocoder": dict(vocoder)},
    }
    return SystemRun(folder, record, manifest, dict(vocoder), spec)
