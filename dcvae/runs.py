"""The contract of run and study folders: what lies where, one reader, one writer.

    RUNS/SIZE/ABLATION/seed<N>/     run.json, metrics.jsonl, last/, best/
        analysis/                   table.csv, clips.csv, analysis.json, summary.csv, figures/, ...
    RUNS/peers/NAME/seed0/          the same of other systems, which are not trained here
    RUNS/SIZE/, RUNS/studies/NAME/  statistics.json, statistics.csv, claims.csv, interactions.csv,
                                    budget_changes.csv
    RUNS/studies/NAME/              study.json: the runs and claims that are planned

Training writes run.json and study.json, the analysis the rest; reports read all of it.
"""

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dcvae.record_types import (
    REQUIRED,
    STATISTICS_TYPES,
    SUMMARY_TYPES,
    check_record,
)
from dcvae.system_names import parts_of, split_name, system_name
from dcvae.utils.entries import Types, check_entries, require_entries
from dcvae.utils.errors import damage_in
from dcvae.utils.files import read_json, replace_json

RECORD = "run.json"
METRICS, SYSTEM_METRICS = "metrics.jsonl", "machine.jsonl"
ANALYSIS = "analysis"  # folder of a run
TABLE, CLIPS, SUMMARY = "table.csv", "clips.csv", "analysis.json"  # in it
OVERVIEW, FIGURES = "summary.csv", "figures"  # in it: what MLflow shows of the table
PROTOCOL, EVAL_RESULTS = "README.md", "eval_results.yaml"  # in it: to compare with others
STUDIES, PEERS = "studies", "peers"  # folders of RUNS
PLAN = "study.json"
STATISTICS, CLAIMS, INTERACTIONS = "statistics.csv", "claims.csv", "interactions.csv"
BUDGET_CHANGES = "budget_changes.csv"
STUDY_TABLES = (STATISTICS, CLAIMS, INTERACTIONS, BUDGET_CHANGES)
STATISTICS_RECORD = "statistics.json"
FINISHED = "finished"
ARCHIVED = "archived"  # in run.json of a run that was restored without its weights
RATES = "rates"  # in run.json of a system that was not trained here: what it sends a second
WRITING = threading.Lock()  # training writes from one thread, the MLflow sync from another


class RunError(ValueError):
    """A folder that cannot be used for what is asked; the message says why and what to do."""


@dataclass(frozen=True)
class Run:
    """One run folder: where it lies, and what its run.json says."""

    folder: Path
    record: Mapping[str, Any]

    @property
    def ablation(self) -> str:
        return str(self.record["ablation"])

    @property
    def rates(self) -> Mapping[str, Any] | None:
        """What a peer sends for a second of speech; None of a run of the suite's own training."""
        return self.record.get(RATES)

    @property
    def title(self) -> str:
        """What a reader calls it."""
        return str(self.record.get("title") or self.system)

    @property
    def budget(self) -> int | None:
        """Steps of training; None where they are the size's own."""
        return self.record.get("budget")

    @property
    def system(self) -> str:
        """The ablation, with the training budget where it is not the size's own."""
        return system_name(self.ablation, self.budget)

    @property
    def size(self) -> str:
        return str(self.record["size"])

    @property
    def seed(self) -> int:
        return int(self.record["seed"])

    @property
    def name(self) -> str:
        return f"{self.size}/{self.system}/seed{self.seed}"

    @property
    def status(self) -> str | None:
        return self.record.get("status")

    @property
    def is_finished(self) -> bool:
        return self.status == FINISHED

    @property
    def steps(self) -> int:
        """Of training; 0 where run.json is of a time when it did not say."""
        return int(self.record.get("steps") or 0)

    @property
    def mlflow(self) -> dict[str, str] | None:
        """tracking_uri and run_id, where the run was tracked."""
        return self.record.get("mlflow") or None

    @property
    def size_folder(self) -> Path:
        """RUNS/SIZE, the folder of all runs of this size."""
        return self.folder.absolute().parents[1]

    @property
    def analysis(self) -> Path:
        return self.folder / ANALYSIS

    @property
    def table(self) -> Path:
        return self.analysis / TABLE

    @cached_property
    def summary(self) -> dict[str, Any] | None:
        """analysis.json; None where the run is not analysed to its end."""
        path = self.analysis / SUMMARY
        there = os.path.lexists(path) and os.path.lexists(self.table)
        return read_object(path, SUMMARY_TYPES) if there else None

    @property
    def command(self) -> str:
        """What to run where its measurements are missing."""
        if self.is_finished and not self.record.get(ARCHIVED):
            return f"python -m analysis {shown(self.folder)}"
        return train_command(self.system, self.size, self.seed)


def read_run(folder: Path) -> Run:
    """The run in `folder`; RunError where it is missing, no run, or damaged."""
    return Run(folder, require_record(folder, *REQUIRED))


def train_command(system: str, size: str, seed: int = 0) -> str:
    """What trains a system (NAME, A+B, or either @STEPS) in a size."""
    ablation, budget = split_name(system)
    parts = parts_of(ablation)
    asked = f"[{','.join(parts)}]" if len(parts) > 1 else ablation
    steps = f" trainer.steps={budget}" if budget else ""
    seeded = f" seed={seed}" if seed else ""
    return f"accelerate launch experiments/run.py ablation={asked} size={size}{seeded}{steps}"


def shown(folder: Path) -> str:
    """A path as a user in the working folder would type it."""
    here = Path.cwd()
    return str(folder.relative_to(here) if folder.is_relative_to(here) else folder)


def read_object(path: Path, types: Types | None = None) -> dict[str, Any]:
    """The object in a JSON file; RunError where it holds none, or has entries of other types.

    Where types are given, an entry that is null is as one that is absent.
    """
    try:
        said = read_json(path)
    except (ValueError, OSError) as error:
        raise RunError(str(error)) from error
    if not isinstance(said, dict):
        raise RunError(f"{path} is damaged: it holds no object")
    if types is None:
        return said
    with damage_in(path, RunError):
        check_entries(said, types)
    return {name: value for name, value in said.items() if value is not None}


def read_statistics(folder: Path) -> dict[str, Any]:
    """What statistics.json says; RunError where it is missing or damaged."""
    path = folder / STATISTICS_RECORD
    said = read_object(path, STATISTICS_TYPES)
    with damage_in(path, RunError):
        require_entries(said, "files", "tables", "factors")
        for look in said.get("looks") or ():
            require_entries(said, "max_seeds")
            require_entries(look, "seeds", "alpha", "decided")
    return said


def read_record(folder: Path) -> dict[str, Any] | None:
    """The record of a run folder, None where there is none yet; RunError for a damaged one."""
    path = folder / RECORD
    if not path.is_file():
        return None
    record = read_object(path)
    with damage_in(path, RunError):
        check_record(record)
    return record


def require_record(folder: Path, *names: str) -> dict[str, Any]:
    """The record of a run folder; RunError where there is none, or an entry of `names` is not."""
    if not folder.is_dir():
        raise RunError(f"{folder}: there is no such run folder")
    record = read_record(folder)
    if record is None:
        raise RunError(f"{folder} is no run folder: it has no {RECORD}")
    with damage_in(folder / RECORD, RunError):
        require_entries(record, *names)
    return record


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Write all but "mlflow": what `write_mlflow` noted stays, whatever `record` holds."""
    with WRITING:
        noted = (read_record(folder) or {}).get("mlflow")
        replace_json(folder / RECORD, record | ({"mlflow": noted} if noted else {}))


def write_mlflow(folder: Path, known: dict[str, str]) -> None:
    """Note where the run is found in MLflow: its "tracking_uri" and "run_id"."""
    with WRITING:
        replace_json(folder / RECORD, (read_record(folder) or {}) | {"mlflow": known})
