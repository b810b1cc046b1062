"""From a study's name and the command line to the runs that it asks for."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path

from experiments.composing import COMPOSING_ERRORS, CONF, Composed, compose_runs, read_typed
from experiments.studies.options import Analysis, Study

KEYS = tuple(option.name for option in fields(Study))
INSTEAD = {"ablation": "ablations=[NAME,...]", "seed": "seeds=[0,1,...]"}


@dataclass(frozen=True)
class Row:
    """One run of a study."""

    ablation: str
    seed: int
    overrides: tuple[str, ...]  # all of run.py's
    composed: Composed

    @property
    def name(self) -> str:
        return f"{self.ablation}/seed{self.seed}"

    @property
    def run_dir(self) -> Path:
        return self.composed.run_dir


@dataclass(frozen=True)
class Plan:
    """A study with all that its runs will be told."""

    name: str
    study: Study
    rows: tuple[Row, ...]

    @property
    def runs_dir(self) -> Path:
        return Path(self.rows[0].composed.config["runs_dir"])

    @property
    def size(self) -> str:
        return self.rows[0].composed.size

    @property
    def folder(self) -> Path:
        """Where the study keeps its logs and the ids of its jobs."""
        return self.runs_dir / "studies" / self.name


def make_plan(arguments: Sequence[str]) -> Plan:
    """The plan of "study=NAME key=value ..."; ValueError, in one line, for what it cannot be."""
    name, changes, overrides = sort_arguments(arguments)
    path = CONF / "study" / f"{name}.yaml"
    if not path.is_file():
        raise ValueError(f"there is no study {name!r}: choose from {', '.join(names_in('study'))}")
    check_analysis_keys(changes)
    study = read_typed(Study, path, changes)
    overrides = [*study.overrides, *overrides]
    for override in overrides:
        check_override(override)
    ablations = choose_ablations(study.ablations)
    check_twice("ablation", ablations)
    check_twice("seed", study.seeds)
    rows = [row for ablation in ablations for row in make_rows(ablation, study.seeds, overrides)]
    if not rows:
        raise ValueError("a study needs at least one ablation and one seed")
    return Plan(name, study, tuple(rows))


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
        raise ValueError(f"say which study: study=NAME, one of {', '.join(names_in('study'))}")
    return name, changes, overrides


def check_override(override: str) -> None:
    """ValueError for one that the study gives to the runs itself, and for what is none."""
    key = override.lstrip("+~").partition("=")[0]
    if key in INSTEAD:
        raise ValueError(f"{override} is the study's to give: say {INSTEAD[key]}")
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


def choose_ablations(wanted: str | list[str]) -> list[str]:
    """Names of the registry, the baseline first of "all"; ValueError with near names for others."""
    known = names_in("ablation")
    if wanted == "all":
        return sorted(known, key=lambda name: (name != "baseline", name))
    if isinstance(wanted, str):
        raise ValueError(f"ablations must be a list or all: ablations=[{wanted}]")
    for name in wanted:
        if name not in known:
            near = get_close_matches(str(name), known, 3)
            hint = f"did you mean {' or '.join(near)}?" if near else f"choose from {known}"
            raise ValueError(f"there is no ablation {name!r}: {hint}")
    return list(wanted)


def check_twice(kind: str, values: Sequence[object]) -> None:
    """ValueError where a value comes twice: two runs would share one folder."""
    for value in values:
        if list(values).count(value) > 1:
            raise ValueError(f"{kind} {value} is named twice: two runs cannot share one folder")


def make_rows(ablation: str, seeds: Sequence[int], overrides: Sequence[str]) -> list[Row]:
    """The ablation's runs; ValueError names it where the overrides do not compose."""
    try:
        composed = compose_runs(ablation, seeds, overrides)
    except COMPOSING_ERRORS as error:
        raise ValueError(f"ablation={ablation} {' '.join(overrides)}: {error}") from error
    return [
        Row(ablation, seed, (f"ablation={ablation}", f"seed={seed}", *overrides), one)
        for seed, one in zip(seeds, composed, strict=True)
    ]


def names_in(group: str) -> list[str]:
    """The names of the files in a folder of conf."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))
