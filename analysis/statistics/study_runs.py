"""The runs of one study, with what their tables hold.

A study's folder is RUNS/SIZE, with every run below it (ABLATION/seed<N>), or RUNS/studies/NAME,
whose study.json names its runs, claims and factors: `experiments.study` writes it before the first
run.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd

from analysis.outputs.table import read_table
from analysis.statistics.ratios import Cell, Ratio, find_ratios
from dcvae.claims import BASELINE
from dcvae.runs import ANALYSIS, CLIPS, RECORD, TABLE, Run, read_run, shown
from dcvae.study_plan import StudyPlan, read_plan
from dcvae.utils.errors import damage_in
from dcvae.utils.files import files_sha256


@dataclass(frozen=True)
class StudyRun(Run):
    """One run, with its table as ratios where it is analysed."""

    ratios: dict[Cell, Ratio] | None = None
    sha256: str = ""  # of the table
    speakers: Mapping[str, str] = field(default_factory=dict)  # by clip, where they are known


@dataclass(frozen=True)
class Study:
    """All runs of a study, the baseline's first, and a line for each that cannot be used."""

    runs: list[StudyRun]
    left_out: list[str] = field(default_factory=list)
    plan: StudyPlan | None = None

    @property
    def analysed(self) -> list[StudyRun]:
        return [run for run in self.runs if run.ratios is not None]

    @property
    def budgets(self) -> list[int | None]:
        """Of training, as planned; or those that are there."""
        return self.plan.budgets if self.plan else list(dict.fromkeys(r.budget for r in self.runs))

    @property
    def steps(self) -> int | None:
        """Of the size's own training; None where no run that is analysed says it."""
        return next((run.steps for run in self.analysed if not run.budget and run.steps), None)

    @property
    def systems(self) -> list[str]:
        return list(dict.fromkeys(run.system for run in self.analysed))

    def of(self, system: str) -> list[StudyRun]:
        """The runs of one system, by seed."""
        return self.by_system.get(system, [])

    def ratios(self, system: str, cell: Cell) -> dict[int, Ratio]:
        """What each seed of a system has in one cell, by seed; one without any value has none."""
        found = {run.seed: (run.ratios or {}).get(cell) for run in self.of(system)}
        return {seed: one for seed, one in found.items() if one is not None and one.n_scored}

    @cached_property
    def by_system(self) -> dict[str, list[StudyRun]]:
        """Its runs by each system's name, gathered once: every number asks for a system's."""
        found: dict[str, list[StudyRun]] = {}
        for run in self.runs:
            found.setdefault(run.system, []).append(run)
        return found

    @cached_property
    def speakers(self) -> dict[str, str]:
        """By clip where they are known, gathered once: every number asks for them."""
        return {clip: name for run in self.analysed for clip, name in run.speakers.items()}


def read_study(folder: Path) -> Study:
    """The study in `folder`.

    A run that cannot be read, or that was measured in another way than the others (manifest,
    checkpoint, vocoder, versions and settings of the evaluators), does not stop them: it is left
    out, with a line that says so. ValueError for a damaged plan.
    """
    plan = read_plan(folder)
    runs, left_out = [], []
    for path in run_folders(folder, plan):
        try:
            runs.append(read_study_run(path))
        except (ValueError, OSError) as error:
            left_out.append(f"{shown(path)} is left out: {' '.join(str(error).split())}")
    runs.sort(key=lambda run: (run.budget or 0, run.ablation != BASELINE, run.ablation, run.seed))
    kept, unlike = keep_alike(runs)
    return Study(kept, [*left_out, *unlike], plan)


def run_folders(folder: Path, plan: StudyPlan | None) -> list[Path]:
    """Those of the planned runs that are there; without a plan, of every run below the folder."""
    return plan.present if plan else sorted(at.parent for at in folder.glob(f"*/seed*/{RECORD}"))


def has_tables(folder: Path) -> bool:
    """Whether some run of the study in `folder` has a table, which is not read."""
    found = run_folders(folder, read_plan(folder))
    return any((path / ANALYSIS / TABLE).is_file() for path in found)


def read_study_run(folder: Path) -> StudyRun:
    """One run folder; ValueError where run.json or the table is damaged."""
    run = read_run(folder)
    if folder.parts[-2:] != (run.ablation, f"seed{run.seed}"):
        raise ValueError(f"its run.json calls it {run.name}: a copy would count as another seed")
    if not os.path.lexists(run.table):
        return StudyRun(folder, run.record)
    sha256 = files_sha256(run.table)
    written = (run.summary or {}).get("files", {})
    for name in (TABLE, CLIPS):
        path = run.analysis / name
        if name in written and written[name] != files_sha256(path):
            raise ValueError(f"its {name} is not what was computed: run `{run.command}`")
    return StudyRun(
        folder,
        run.record,
        find_ratios(read_table(run.table)),
        sha256,
        read_speakers(run.analysis / CLIPS),
    )


def read_speakers(path: Path) -> dict[str, str]:
    """The speaker of each clip in clips.csv; of none where there is no such file."""
    if not os.path.lexists(path):
        return {}
    with damage_in(path):
        labels = pd.read_csv(path, dtype=str, keep_default_na=False)
        return dict(zip(labels["clip"], labels["speaker"], strict=True))


def keep_alike(runs: Sequence[StudyRun]) -> tuple[list[StudyRun], list[str]]:
    """The runs that can be compared, and a line on those that cannot, by what keeps them apart.

    All are measured like the most, and of as many like the newest.
    """
    stated = Counter(facts for run in runs for facts in measured_by(run).items())
    usual = dict(sorted(stated, key=lambda one: (stated[one], numbers_in(one[1]), one[1])))
    kept: list[StudyRun] = []
    unlike: dict[tuple[str, str], list[StudyRun]] = {}
    for run in runs:
        facts = next((one for one in measured_by(run).items() if usual[one[0]] != one[1]), None)
        (kept if facts is None else unlike.setdefault(facts, [])).append(run)
    return kept, [left_out(found, *facts, usual[facts[0]]) for facts, found in unlike.items()]


def numbers_in(version: str) -> list[int]:
    """By them versions are in order: "10" is newer than "9"."""
    return [int(number) for number in re.findall(r"\d+", version)]


def left_out(runs: Sequence[StudyRun], what: str, value: str, usual: str) -> str:
    """A line on runs that are measured unlike the others."""
    names = ", ".join(run.name for run in runs)
    are, their = ("is", "its") if len(runs) == 1 else ("are", "their")
    command = runs[0].command + (" ..." if len(runs) > 1 else "")
    return (
        f"{names} {are} left out: {their} {what} is {value}, that of the others {usual}:"
        f" run `{command}`"
    )


def measured_by(run: StudyRun) -> dict[str, str]:
    """What the analysis says of how it measured: runs of which it is unlike cannot be compared."""
    said = run.summary or {}
    versions = said.get("versions") or {}
    found = {f"version of {name}": str(version) for name, version in versions.items()}
    for name, facts in (said.get("evaluators") or {}).items():
        settings = facts.get("settings") or {}
        found |= {f"{key} of {name}": as_text(value) for key, value in settings.items()}
    told = {name: said.get(name) for name in ("manifest", "checkpoint", "vocoder")}
    return found | {name: as_text(value) for name, value in told.items() if value}


def as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def cells(runs: Sequence[StudyRun]) -> list[Cell]:
    """Every condition and metric that some run has, in order."""
    return sorted({cell for run in runs for cell in run.ratios or {}})
