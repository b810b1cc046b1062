"""Read the run folders of one size: what they say of themselves, their tables, curves, examples."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

COLUMNS = ["run", "ablation", "seed", "clip", "condition", "metric", "value"]
BASELINE = "baseline"
USUAL_SIZE = "tiny"


class ReportError(ValueError):
    """Nothing to report on, or a file that cannot be read; the message says what to do."""


@dataclass
class Run:
    """One run folder. `table` and `analysis` are None until it is analysed."""

    folder: Path
    described: dict[str, Any]
    table: pd.DataFrame | None = None
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


@dataclass
class Study:
    """The analysed runs of one size, the baseline's first, and what is missing around them."""

    size: str
    runs: list[Run]
    missing: list[str] = field(default_factory=list)

    @property
    def ablations(self) -> list[str]:
        return list(dict.fromkeys(run.ablation for run in self.runs))

    @property
    def table(self) -> pd.DataFrame:
        """Every measurement: the columns of COLUMNS."""
        return pd.concat([run.table for run in self.runs if run.table is not None])

    def of(self, ablation: str) -> list[Run]:
        """The runs of one ablation, by seed."""
        return [run for run in self.runs if run.ablation == ablation]


def read_json(path: Path) -> dict[str, Any]:
    """An object; ReportError names a file that holds none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ReportError(f"{path} is damaged: {error}") from error
    if not isinstance(value, dict):
        raise ReportError(f"{path} is damaged: it holds no object")
    return value


def read_run(folder: Path) -> Run:
    """One run folder, with its table where it has one."""
    described = read_json(folder / "run.json")
    for key in ("ablation", "size", "seed"):
        if key not in described:
            raise ReportError(f"{folder / 'run.json'} is damaged: it has no {key!r}")
    run = Run(folder, described)
    path = folder / "analysis" / "table.csv"
    if path.is_file() and (folder / "analysis" / "analysis.json").is_file():
        labels = dict.fromkeys(("run", "ablation", "clip", "condition", "metric"), str)
        run.table = pd.read_csv(
            path, dtype=labels, keep_default_na=False, na_values={"value": ["nan"]}
        )
        if list(run.table.columns) != COLUMNS:
            raise ReportError(f"{path} is no analysis table: analyse {folder} again")
        run.analysis = read_json(folder / "analysis" / "analysis.json")
    return run


def collect(runs: Path, size: str | None = None) -> Study:
    """The study under `runs`; of several sizes "tiny" unless `size` says otherwise.

    ReportError (one line, with the command to run) where there is no run or none is analysed.
    """
    if not runs.is_dir():
        raise ReportError(
            f"{runs}: there is no such folder; train a first run with"
            " `accelerate launch experiments/run.py`"
        )
    found = [read_run(path.parent) for path in sorted(runs.glob("*/*/seed*/run.json"))]
    sizes = Counter(str(run.described["size"]) for run in found if run.table is not None)
    size = size or (USUAL_SIZE if USUAL_SIZE in sizes else min(sizes, default=None))
    chosen = [run for run in found if size is None or run.described["size"] == size]
    if not chosen:
        of_size = f" of size {size}" if size else ""
        raise ReportError(
            f"{runs} holds no run{of_size}; train one with"
            f" `accelerate launch experiments/run.py{f' size={size}' if size else ''}`"
        )
    scored = [run for run in chosen if run.table is not None]
    if size is None or not scored:
        folders = " ".join(str(run.folder) for run in chosen[:4])
        raise ReportError(
            f"no run in {runs} is analysed yet; run"
            f" `python -m analysis {folders}{' ...' if len(chosen) > 4 else ''}`"
        )
    scored.sort(key=lambda run: (run.ablation != BASELINE, run.ablation, run.seed))
    return Study(size, scored, missing_from(chosen, scored, sizes))


def missing_from(chosen: Sequence[Run], scored: Sequence[Run], sizes: Counter[str]) -> list[str]:
    """What a reader must know is not on the page, a sentence each."""
    notes = []
    for run in chosen:
        if run.described.get("status") != "finished":
            notes.append(f"{run.name} is still training or was interrupted.")
        elif run.table is None:
            notes.append(f"{run.name} is not analysed: run `python -m analysis {run.folder}`.")
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
