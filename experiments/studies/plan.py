"""From a study's name and the command line to the runs that it asks for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path

from experiments.config import (
    COMPOSING_ERRORS,
    Composed,
    compose_runs,
    read_registry,
    read_typed,
)
from experiments.studies.options import Analysis, Study
from experiments.studies.phases import Wanted, phases_of, wanted_runs
from experiments.yaml_files import CONF, check_choice, names_in

KEYS = tuple(option.name for option in fields(Study))
INSTEAD = {"ablation": "ablations=[NAME,...]", "seed": "seeds=[0,1,...]"}
STEPS = "trainer.steps"


@dataclass(frozen=True)
class Row:
    """One run of a study."""

    ablation: str
    seed: int
    overrides: tuple[str, ...]  # all of run.py's
    composed: Composed
    phase: str = ""

    @property
    def budget(self) -> int | None:
        """Steps; None for the size's own."""
        return self.composed.budget

    @property
    def name(self) -> str:
        """No other row of the study has it."""
        steps = "" if self.budget is None else f" ({self.budget} steps)"
        return f"{self.ablation}/seed{self.seed}{steps}"

    @property
    def run_dir(self) -> Path:
        return self.composed.run_dir


@dataclass(frozen=True)
class Plan:
    """A study with all that its runs will be told."""

    name: str
    study: Study
    rows: tuple[Row, ...]
    overrides: tuple[str, ...] = ()  # of every run

    @property
    def runs_dir(self) -> Path:
        return Path(self.rows[0].composed.config["runs_dir"])

    @property
    def size(self) -> str:
        return self.rows[0].composed.size

    @property
    def ablations(self) -> list[str]:
        """Every system once, in the order of the runs."""
        return list(dict.fromkeys(row.ablation for row in self.rows))

    @property
    def folder(self) -> Path:
        """Where the study keeps its logs and the ids of its jobs."""
        return self.runs_dir / "studies" / self.name


def make_plan(arguments: Sequence[str]) -> Plan:
    """The plan of "study=NAME key=value ..."; ValueError, in one line, for what it cannot be."""
    name, changes, overrides = sort_arguments(arguments)
    check_choice(CONF / "study", name)
    path = CONF / "study" / f"{name}.yaml"
    check_analysis_keys(changes)
    study = read_typed(Study, path, changes)
    overrides = [*study.overrides, *overrides]
    has_budgets = any(phase.budgets for phase in phases_of(study))
    for override in overrides:
        check_override(override, INSTEAD | ({STEPS: "budgets=[STEPS,...]"} if has_budgets else {}))
    wanted = wanted_runs(study, read_registry())
    return Plan(name, study, tuple(compose_rows(wanted, overrides)), tuple(overrides))


def sort_arguments(arguments: Sequence[str]) -> tuple[str, list[str], list[str]]:
    """The study's name, what changes the study, and what goes to the runs."""
    name, changes, overrides = None, [], []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if key == "study":
            name = value
        elif equals and key.split(".")[0].split("[")[0] in KEYS:
            changes.append(argument)
        else:
            overrides.append(argument)
    if not name:
        raise ValueError(
            f"say which study: study=NAME, one of {', '.join(names_in(CONF / 'study'))}"
        )
    return name, changes, overrides


def check_override(override: str, instead: Mapping[str, str]) -> None:
    """ValueError for one that the study gives to the runs itself, and for what is none."""
    key = override.lstrip("+~").partition("=")[0]
    if key in instead:
        raise ValueError(f"{override} is the study's to give: say {instead[key]}")
    if "=" not in override and not override.startswith("~"):
        raise ValueError(f"{override!r} is no key=value")


def check_analysis_keys(changes: Sequence[str]) -> None:
    """ValueError for analysis.clisp=3, with the option that was meant."""
    known = [option.name for option in fields(Analysis)]
    for change in changes:
        key = change.partition("=")[0]
        if key.startswith("analysis.") and key.removeprefix("analysis.") not in known:
            option = key.removeprefix("analysis.")
            near = get_close_matches(option, known, 1) or known
            raise ValueError(f"the analysis has no option {option!r}: {' or '.join(near)}?")


def compose_rows(wanted: Sequence[Wanted], overrides: Sequence[str]) -> list[Row]:
    """The runs with all that they will be told, in their order, each folder once.

    A budget may be the size's own number of steps: it is then no other run.
    """
    seeds: dict[tuple[str, int | None], list[int]] = {}
    for run in wanted:
        seeds.setdefault((run.ablation, run.budget), []).append(run.seed)
    composed = {
        (ablation, budget, seed): one
        for (ablation, budget), own in seeds.items()
        for seed, one in zip(own, compose_seeds(ablation, own, budget, overrides), strict=True)
    }
    rows: dict[Path, Row] = {}
    for run in wanted:
        told = (f"ablation={run.ablation}", f"seed={run.seed}", *steps(run.budget), *overrides)
        one = composed[run.ablation, run.budget, run.seed]
        rows.setdefault(one.run_dir, Row(run.ablation, run.seed, told, one, run.phase))
    return list(rows.values())


def compose_seeds(
    ablation: str, seeds: Sequence[int], budget: int | None, overrides: Sequence[str]
) -> list[Composed]:
    """Their configurations; ValueError names the ablation where the overrides do not compose."""
    told = [*steps(budget), *overrides]
    try:
        return compose_runs(ablation, seeds, told)
    except COMPOSING_ERRORS as error:
        raise ValueError(f"ablation={ablation} {' '.join(told)}: {error}") from error


def steps(budget: int | None) -> list[str]:
    """What run.py is told of a budget: nothing of the size's own."""
    return [] if budget is None else [f"{STEPS}={budget}"]
