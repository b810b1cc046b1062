"""The runs of one study, RUNS/SIZE, with what their tables hold."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.ratios import Cell, Ratio, find_ratios
from analysis.table import read_table

BASELINE = "baseline"


@dataclass(frozen=True)
class StudyRun:
    """One run: what run.json says, and its table as ratios where it is analysed."""

    folder: Path
    described: dict[str, Any]
    ratios: dict[Cell, Ratio] | None = None
    sha256: str = ""  # of the table

    @property
    def ablation(self) -> str:
        return str(self.described["ablation"])

    @property
    def seed(self) -> int:
        return int(self.described["seed"])

    @property
    def name(self) -> str:
        return f"{self.described['size']}/{self.ablation}/seed{self.seed}"

    @property
    def command(self) -> str:
        """What to run where its measurements are missing."""
        if self.described.get("status") == "finished":
            return f"python -m analysis {shown(self.folder)}"
        return (
            f"accelerate launch experiments/run.py ablation={self.ablation}"
            f" size={self.described['size']} seed={self.seed}"
        )


@dataclass(frozen=True)
class Study:
    """All runs of a study, the baseline's first, and a line for each that cannot be read."""

    runs: list[StudyRun]
    left_out: list[str] = field(default_factory=list)

    @property
    def analysed(self) -> list[StudyRun]:
        return [run for run in self.runs if run.ratios is not None]

    def of(self, ablation: str) -> list[StudyRun]:
        """The runs of one ablation, by seed."""
        return [run for run in self.runs if run.ablation == ablation]

    def ratios(self, ablation: str, cell: Cell) -> list[Ratio]:
        """What each seed of an ablation has in one cell."""
        found = [(run.ratios or {}).get(cell) for run in self.of(ablation)]
        return [one for one in found if one is not None]


def read_study(folder: Path) -> Study:
    """Every run below `folder` (ABLATION/seed*).

    A run that cannot be read does not stop the others: it is left out, with a line that says so.
    """
    runs, left_out = [], []
    for path in sorted(folder.glob("*/seed*/run.json")):
        try:
            runs.append(read_run(path.parent))
        except (ValueError, OSError) as error:
            left_out.append(f"{shown(path.parent)} is left out: {' '.join(str(error).split())}")
    runs.sort(key=lambda run: (run.ablation != BASELINE, run.ablation, run.seed))
    return Study(runs, left_out)


def read_run(folder: Path) -> StudyRun:
    """One run folder; ValueError where run.json or the table is damaged."""
    path = folder / "run.json"
    described = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(described, dict) or not {"ablation", "size", "seed"} <= set(described):
        raise ValueError(f"{path} is damaged: it names no ablation, size and seed")
    run = StudyRun(folder, described)
    if folder.parts[-2:] != (run.ablation, f"seed{run.seed}"):
        raise ValueError(f"its run.json calls it {run.name}: a copy would count as another seed")
    table = folder / "analysis" / "table.csv"
    if not table.is_file():
        return run
    sha256 = hashlib.sha256(table.read_bytes()).hexdigest()
    return StudyRun(folder, described, find_ratios(read_table(table)), sha256)


def shown(folder: Path) -> str:
    """A path as a user in the working folder would type it."""
    here = Path.cwd()
    return str(folder.relative_to(here) if folder.is_relative_to(here) else folder)


def cells(runs: Sequence[StudyRun]) -> list[Cell]:
    """Every condition and metric that some run has, in order."""
    return sorted({cell for run in runs for cell in run.ratios or {}})
