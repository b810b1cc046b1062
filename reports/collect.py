"""Read the run folders of one size: what they say of themselves, their statistics and curves."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from reports.files import ReportError, read_json, sha256
from reports.statistics import Statistics, read_statistics

BASELINE = "baseline"
USUAL_SIZE = "tiny"


@dataclass
class Run:
    """One run folder. `analysis` (analysis.json) is None until it is analysed."""

    folder: Path
    described: dict[str, Any]
    analysis: dict[str, Any] | None = None

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
        """What analyses it, and computes the statistics of its study."""
        return f"python -m analysis {self.folder}"

    @property
    def table(self) -> Path:
        return self.folder / "analysis" / "table.csv"


@dataclass
class Study:
    """The analysed runs of one size, the baseline's first, and what is missing around them."""

    size: str
    runs: list[Run]
    statistics: Statistics
    missing: list[str] = field(default_factory=list)

    @property
    def ablations(self) -> list[str]:
        return list(dict.fromkeys(run.ablation for run in self.runs))

    def of(self, ablation: str) -> list[Run]:
        """The runs of one ablation, by seed."""
        return [run for run in self.runs if run.ablation == ablation]

    @property
    def clips(self) -> int:
        """On how many clips the first run was scored."""
        return len((self.runs[0].analysis or {}).get("clips", ()))


def read_run(folder: Path) -> Run:
    """One run folder, with what its analysis says of itself."""
    described = read_json(folder / "run.json")
    for key in ("ablation", "size", "seed"):
        if key not in described:
            raise ReportError(f"{folder / 'run.json'} is damaged: it has no {key!r}")
    run = Run(folder, described)
    if run.table.is_file() and (folder / "analysis" / "analysis.json").is_file():
        run.analysis = read_json(folder / "analysis" / "analysis.json")
    return run


def collect(runs: Path, size: str | None = None) -> Study:
    """The study under `runs`; of several sizes "tiny" unless `size` says otherwise.

    ReportError (one line, with the command to run) where there is no run or none is analysed, or
    where the study's statistics are missing.
    """
    if not runs.is_dir():
        raise ReportError(
            f"{runs}: there is no such folder; train a first run with"
            " `accelerate launch experiments/run.py`"
        )
    found = [read_run(path.parent) for path in sorted(runs.glob("*/*/seed*/run.json"))]
    sizes = Counter(str(run.described["size"]) for run in found if run.analysis is not None)
    size = size or (USUAL_SIZE if USUAL_SIZE in sizes else min(sizes, default=None))
    chosen = [run for run in found if size is None or run.described["size"] == size]
    if not chosen:
        of_size = f" of size {size}" if size else ""
        raise ReportError(
            f"{runs} holds no run{of_size}; train one with"
            f" `accelerate launch experiments/run.py{f' size={size}' if size else ''}`"
        )
    analysed = [run for run in chosen if run.analysis is not None]
    if size is None or not analysed:
        folders = " ".join(str(run.folder) for run in chosen[:4])
        raise ReportError(
            f"no run in {runs} is analysed yet; run"
            f" `python -m analysis {folders}{' ...' if len(chosen) > 4 else ''}`"
        )
    statistics = read_statistics(analysed[0].folder.parents[1], analysed[0].command)
    scored = [run for run in analysed if run.name in statistics.record["tables"]]
    if not scored:
        raise ReportError(f"the statistics know no run in {runs}: run `{analysed[0].command}`")
    scored.sort(key=lambda run: (run.ablation != BASELINE, run.ablation, run.seed))
    missing = missing_from(chosen, scored, sizes) + stale(analysed, statistics)
    return Study(size, scored, statistics, missing)


def missing_from(chosen: Sequence[Run], scored: Sequence[Run], sizes: Counter[str]) -> list[str]:
    """What a reader must know is not on the page, a sentence each."""
    notes = []
    for run in chosen:
        if run.described.get("status") != "finished":
            notes.append(f"{run.name} is still training or was interrupted.")
        elif run.analysis is None:
            notes.append(f"{run.name} is not analysed: run `{run.command}`.")
    if not any(run.ablation == BASELINE for run in scored):
        notes.append("No baseline is analysed, so no ablation can be compared with it.")
    clip_sets = {tuple((run.analysis or {}).get("clips", ())) for run in scored}
    if len(clip_sets) > 1:
        notes.append(
            "The runs were analysed on different clips: means are not comparable across rows;"
            " differences to the baseline use the clips that both have."
        )
    others = sorted(set(sizes) - {str(chosen[0].described["size"])})
    if others:
        notes.append(f"Runs of other sizes are left out: {', '.join(others)} (`--size`).")
    return notes


def stale(analysed: Sequence[Run], statistics: Statistics) -> list[str]:
    """Where the statistics are not of the tables that lie there now, and what they left out."""
    known = statistics.record["tables"]
    notes = [f"{line}." for line in statistics.record.get("left_out", ())]
    for run in analysed:
        if run.name not in known:
            notes.append(f"{run.name} is not in the statistics: run `{run.command}`.")
        elif sha256(run.table) != known[run.name]:
            notes.append(
                f"The numbers are of an older table of {run.name} than is there: run"
                f" `{run.command}`."
            )
    gone = sorted(set(known) - {run.name for run in analysed})
    if gone:
        notes.append(
            f"The statistics count runs that are no longer there ({', '.join(gone)}): run"
            f" `{analysed[0].command}`."
        )
    return notes


def read_curves(study: Study) -> pd.DataFrame:
    """metrics.jsonl of every run as columns ablation, seed, step, key, value.

    A last line cut short by a crash is left out.
    """
    rows = []
    for run in study.runs:
        path = run.folder / "metrics.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        for line in lines:
            try:
                point = json.loads(line)
            except ValueError:
                continue
            rows += [
                (run.ablation, run.seed, point["step"], key, value)
                for key, value in point.items()
                if key.startswith(("train/", "validation/")) and isinstance(value, (int, float))
            ]
    return pd.DataFrame(rows, columns=["ablation", "seed", "step", "key", "value"])
