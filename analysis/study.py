"""The runs of one study, with what their tables hold.

A study's folder is RUNS/SIZE, with every run below it (ABLATION/seed<N>), or RUNS/studies/NAME,
whose study.json names its runs, claims and factors: `experiments.study` writes it before the first
run.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.ratios import Cell, Ratio, find_ratios
from analysis.runs import read_object
from analysis.table import read_table
from dcvae.claims import BASELINE, Claim, system_name

PLAN = "study.json"


@dataclass(frozen=True)
class StudyRun:
    """One run: what run.json says, and its table as ratios where it is analysed."""

    folder: Path
    described: Mapping[str, Any]
    ratios: dict[Cell, Ratio] | None = None
    sha256: str = ""  # of the table
    speakers: Mapping[str, str] = field(default_factory=dict)  # by clip, where they are known
    analysis: Mapping[str, Any] = field(default_factory=dict)  # analysis.json

    @property
    def ablation(self) -> str:
        return str(self.described["ablation"])

    @property
    def parts(self) -> frozenset[str]:
        """The ablations that the run composes; the baseline has none."""
        return frozenset(self.described.get("parts") or {self.ablation}) - {BASELINE}

    @property
    def budget(self) -> int | None:
        """Steps of training; None where they are the size's own."""
        return self.described.get("budget")

    @property
    def system(self) -> str:
        """The ablation, with the training budget where it is not the size's own."""
        return system_name(self.ablation, self.budget)

    @property
    def seed(self) -> int:
        return int(self.described["seed"])

    @property
    def name(self) -> str:
        return f"{self.described['size']}/{self.system}/seed{self.seed}"

    @property
    def command(self) -> str:
        """What to run where its measurements are missing."""
        if self.described.get("status") == "finished":
            return f"python -m analysis {shown(self.folder)}"
        ablation = f"[{','.join(sorted(self.parts))}]" if "+" in self.ablation else self.ablation
        return (
            f"accelerate launch experiments/run.py ablation={ablation}"
            f" size={self.described['size']} seed={self.seed}"
            + (f" trainer.steps={self.budget}" if self.budget else "")
        )


@dataclass(frozen=True)
class Plan:
    """What a study's file asked before its first run."""

    name: str
    claims: list[Claim]
    family: frozenset[str]  # ids of claims
    factors: list[str]
    runs: list[tuple[str, int]]  # system and seed
    budgets: list[int | None]
    max_seeds: int | None = None  # of a study that goes on until its claims are decided


@dataclass(frozen=True)
class Study:
    """All runs of a study, the baseline's first, and a line for each that cannot be used."""

    runs: list[StudyRun]
    left_out: list[str] = field(default_factory=list)
    plan: Plan | None = None

    @property
    def analysed(self) -> list[StudyRun]:
        return [run for run in self.runs if run.ratios is not None]

    @property
    def budgets(self) -> list[int | None]:
        """Of training, as planned; or those that are there."""
        return self.plan.budgets if self.plan else list(dict.fromkeys(r.budget for r in self.runs))

    @property
    def systems(self) -> list[str]:
        return list(dict.fromkeys(run.system for run in self.analysed))

    def of(self, system: str) -> list[StudyRun]:
        """The runs of one system, by seed."""
        return [run for run in self.runs if run.system == system]

    def ratios(self, system: str, cell: Cell) -> dict[int, Ratio]:
        """What each seed of a system has in one cell, by seed; one without any value has none."""
        found = {run.seed: (run.ratios or {}).get(cell) for run in self.of(system)}
        return {seed: one for seed, one in found.items() if one is not None and one.n_scored}

    def speakers(self, clips: Sequence[str]) -> list[str]:
        """The speaker of each clip; a clip whose speaker has no name is one of its own."""
        return [self.known_speakers.get(clip) or f"clip {clip}" for clip in clips]

    @cached_property
    def known_speakers(self) -> dict[str, str]:
        """By clip, gathered once: every number asks for them."""
        return {clip: name for run in self.analysed for clip, name in run.speakers.items()}


def read_study(folder: Path) -> Study:
    """The study in `folder`.

    A run that cannot be read, or whose table is of another manifest or other metrics than the
    others', does not stop them: it is left out, with a line that says so. ValueError for a damaged
    plan.
    """
    plan, folders = None, sorted(path.parent for path in folder.glob("*/seed*/run.json"))
    if (folder / PLAN).is_file():
        plan, folders = read_plan(folder / PLAN)
    runs, left_out = [], []
    for path in folders:
        try:
            runs.append(read_run(path))
        except (ValueError, OSError) as error:
            left_out.append(f"{shown(path)} is left out: {' '.join(str(error).split())}")
    runs.sort(key=lambda run: (run.budget or 0, run.ablation != BASELINE, run.ablation, run.seed))
    kept, unlike = keep_alike(runs)
    return Study(kept, [*left_out, *unlike], plan)


def read_plan(path: Path) -> tuple[Plan, list[Path]]:
    """What study.json says, and the folders of its runs that are there."""
    said = read_object(path)
    try:
        plan = Plan(
            name=str(said["name"]),
            claims=[Claim(**claim) for claim in said["claims"]],
            family=frozenset(said["family"]),
            factors=list(said["factors"]),
            runs=[
                (system_name(one["ablation"], one["budget"]), one["seed"]) for one in said["runs"]
            ],
            budgets=list(dict.fromkeys(one["budget"] for one in said["runs"])),
            max_seeds=said.get("max_seeds"),
        )
        folders = [path.parents[2] / one["folder"] for one in said["runs"]]
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    unknown = plan.family - {claim.id for claim in plan.claims}
    if unknown:
        raise ValueError(f"{path}: the family names a claim that is not there: {min(unknown)}")
    return plan, [folder for folder in folders if (folder / "run.json").is_file()]


def read_run(folder: Path) -> StudyRun:
    """One run folder; ValueError where run.json or the table is damaged."""
    path = folder / "run.json"
    described = read_object(path)
    if not {"ablation", "size", "seed"} <= set(described):
        raise ValueError(f"{path} is damaged: it names no ablation, size and seed")
    run = StudyRun(folder, described)
    if folder.parts[-2:] != (run.ablation, f"seed{run.seed}"):
        raise ValueError(f"its run.json calls it {run.name}: a copy would count as another seed")
    table = folder / "analysis" / "table.csv"
    if not table.is_file():
        return run
    sha256 = hashlib.sha256(table.read_bytes()).hexdigest()
    labels, summary = folder / "analysis" / "clips.csv", folder / "analysis" / "analysis.json"
    return StudyRun(
        folder,
        described,
        find_ratios(read_table(table)),
        sha256,
        read_speakers(labels) if labels.is_file() else {},
        read_object(summary) if summary.is_file() else {},
    )


def read_speakers(path: Path) -> dict[str, str]:
    """The speaker of each clip in clips.csv."""
    labels = pd.read_csv(path, dtype=str, keep_default_na=False)
    return dict(zip(labels["clip"], labels["speaker"], strict=True))


def keep_alike(runs: Sequence[StudyRun]) -> tuple[list[StudyRun], list[str]]:
    """The runs that can be compared, and a line for each that cannot.

    All are measured like the most: on one manifest, each question by one version of its metrics.
    """
    stated = [facts for run in runs for facts in measured_by(run).items()]
    usual: dict[str, str] = {}
    for (what, value), _ in Counter(stated).most_common():
        usual.setdefault(what, value)
    kept, lines = [], []
    for run in runs:
        unlike = [what for what, value in measured_by(run).items() if value != usual[what]]
        if unlike:
            found = measured_by(run)[unlike[0]]
            lines.append(
                f"{shown(run.folder)} is left out: its {unlike[0]} is {found}, that of the others"
                f" {usual[unlike[0]]}: run `{run.command}`"
            )
        else:
            kept.append(run)
    return kept, lines


def measured_by(run: StudyRun) -> dict[str, str]:
    """The manifest and the versions of the questions, as far as the analysis says."""
    versions = run.analysis.get("versions") or {}
    found = {f"version of {name}": str(version) for name, version in versions.items()}
    if manifest := run.analysis.get("manifest"):
        found["manifest"] = str(manifest)
    return found


def shown(folder: Path) -> str:
    """A path as a user in the working folder would type it."""
    here = Path.cwd()
    return str(folder.relative_to(here) if folder.is_relative_to(here) else folder)


def cells(runs: Sequence[StudyRun]) -> list[Cell]:
    """Every condition and metric that some run has, in order."""
    return sorted({cell for run in runs for cell in run.ratios or {}})
