"""RUNS/studies/NAME/study.json: the runs and claims that are planned before any is scored."""

import os
from dataclasses import dataclass
from pathlib import Path

from dcvae.claims import Claim
from dcvae.record_types import PLAN_TYPES
from dcvae.runs import PLAN, RECORD, RunError, read_object
from dcvae.system_names import split_name, system_name
from dcvae.utils.entries import require_entries
from dcvae.utils.errors import damage_in


@dataclass(frozen=True)
class StudyPlan:
    """What a study's file asked for before any of its runs was scored."""

    name: str
    claims: list[Claim]
    family: frozenset[str]  # ids of claims
    factors: list[str]
    runs: list[tuple[str, int]]  # system and seed
    folders: list[Path]  # of those runs
    parts: dict[str, frozenset[str]]  # what each system goes without; the baseline has all
    phases: list[str]  # of those runs; "" in a study without any
    max_seeds: int | None = None  # of a study that goes on until its claims are decided

    @property
    def budgets(self) -> list[int | None]:
        """Of training, in their order."""
        return list(dict.fromkeys(split_name(system)[1] for system, _ in self.runs))

    @property
    def present(self) -> list[Path]:
        """The folders of the runs that are there."""
        return [folder for folder in self.folders if (folder / RECORD).is_file()]


def read_plan(folder: Path) -> StudyPlan | None:
    """The plan of the study in `folder`, None where it has none; ValueError for a damaged one."""
    path = folder / PLAN
    if not os.path.lexists(path):
        return None
    said = read_object(path, PLAN_TYPES)
    with damage_in(path, RunError):
        require_entries(said, "name")
        runs = said["runs"]
        for one in runs:
            require_entries(one, "ablation", "seed", "folder", "parts")
        systems = [system_name(one["ablation"], one["budget"]) for one in runs]
        plan = StudyPlan(
            name=str(said["name"]),
            claims=[Claim(**claim) for claim in said["claims"]],
            family=frozenset(said["family"]),
            factors=list(said["factors"]),
            runs=[(name, one["seed"]) for name, one in zip(systems, runs, strict=True)],
            folders=[path.parents[2] / one["folder"] for one in runs],
            parts=dict(zip(systems, (frozenset(one["parts"]) for one in runs), strict=True)),
            phases=[one.get("phase", "") for one in runs],
            max_seeds=said.get("max_seeds"),
        )
    unknown = plan.family - {claim.id for claim in plan.claims}
    if unknown:
        raise RunError(f"{path}: the family names a claim that is not there: {min(unknown)}")
    return plan
