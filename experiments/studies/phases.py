"""Which runs a study asks for, and in which order: phase by phase, in blocks of one seed.

A block is every system of a seed: what slows a machine or changes it in the meantime meets all
systems alike, and their differences stay paired.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dcvae.claims import BASELINE
from experiments.ablations import Registry, compositions
from experiments.studies.options import Phase, Study

OWN_KEYS = ("ablations", "factors", "seeds", "budgets")
DEFAULT = "default"  # the seeds of ablations that are not named


@dataclass(frozen=True)
class Wanted:
    """A run as the study names it; `budget` is None for the size's own steps."""

    ablation: str
    seed: int
    budget: int | None
    phase: str


def wanted_runs(study: Study, registry: Registry) -> list[Wanted]:
    """Every run once, in order; ValueError, in one line, for what cannot be planned."""
    factors_of(study)
    found: dict[tuple[str, int, int | None], Wanted] = {}
    for phase in phases_of(study):
        for run in runs_of(phase, registry):
            found.setdefault((run.ablation, run.seed, run.budget), run)
    return list(found.values())


def phases_of(study: Study) -> list[Phase]:
    """Those of the study, or the one that its own keys make."""
    own = {key: getattr(study, key) for key in OWN_KEYS if getattr(study, key) is not None}
    if not study.phases:
        return [Phase(**own)]
    if own:
        raise ValueError(f"{next(iter(own))} is its phases' to say: the study has phases")
    check_twice("phase", [phase.name for phase in study.phases])
    return study.phases


def factors_of(study: Study) -> list[str]:
    """The factors of the study's factorial; a study has one at most."""
    found = [phase.factors for phase in phases_of(study) if phase.factors]
    if any(sorted(one) != sorted(found[0]) for one in found):
        raise ValueError("two phases have unlike factors: a study has one factorial")
    return found[0] if found else []


def runs_of(phase: Phase, registry: Registry) -> Iterator[Wanted]:
    """Block by block."""
    ablations = ablations_of(phase, registry)
    seeds = seeds_of(phase.seeds, ablations, registry)
    budgets = budgets_of(phase.budgets)
    for seed in dict.fromkeys(seed for own in seeds.values() for seed in own):
        for budget in budgets:
            for ablation in ablations:
                if seed in seeds[ablation]:
                    yield Wanted(ablation, seed, budget, phase.name)


def ablations_of(phase: Phase, registry: Registry) -> list[str]:
    """The names of the phase's systems: those it lists, then the cells of its factorial."""
    given = phase.ablations
    if given is None and phase.factors is None:
        given = "all"
    if given == "all":
        given = sorted(registry.files, key=lambda name: (name != BASELINE, name))
    if isinstance(given, str) or not isinstance(given, Sequence | None):
        raise ValueError(f"ablations must be a list or all: ablations=[{given}]")
    listed = [registry.name(one if isinstance(one, list) else str(one)) for one in given or ()]
    check_twice("ablation", listed)
    names = list(dict.fromkeys([*listed, *cells(phase.factors or (), registry)]))
    if not names:
        raise ValueError("a study needs at least one ablation and one seed")
    return names


def cells(factors: Sequence[str], registry: Registry) -> list[str]:
    """The names of all compositions of the factors, the baseline first."""
    check_twice("factor", factors)
    for factor in factors:
        if registry.parts(factor) != (factor,):
            raise ValueError(f"factor {factor} must be a single ablation, and no composition")
    return [registry.name(cell) for cell in compositions(factors)] if factors else []


def seeds_of(given: Any, ablations: Sequence[str], registry: Registry) -> dict[str, list[int]]:
    """The seeds of each ablation."""
    if given is None:
        given = [0]
    if isinstance(given, Mapping):
        return counted_seeds(given, ablations, registry)
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise ValueError(f"seeds must be a list or counts, {{default: 3}}, not {given!r}")
    for seed in given:
        check_whole("a seed", seed, least=0)
    check_twice("seed", given)
    if not given:
        raise ValueError("a study needs at least one ablation and one seed")
    return {ablation: list(given) for ablation in ablations}


def counted_seeds(
    given: Mapping[Any, Any], ablations: Sequence[str], registry: Registry
) -> dict[str, list[int]]:
    """Seeds 0 to N - 1 of each ablation, from {name: N, default: N}."""
    counts: dict[str, int] = {}
    for key, count in given.items():
        name = DEFAULT if key == DEFAULT else registry.name(str(key))
        if name not in (DEFAULT, *ablations):
            raise ValueError(f"seeds names {key}, which is not among the ablations")
        check_whole(f"the number of seeds of {key}", count, least=1)
        counts[name] = count
    for ablation in ablations:
        if ablation not in counts and DEFAULT not in counts:
            raise ValueError(f"seeds says nothing of {ablation}: name it, or give a default")
    return {name: list(range(counts.get(name, counts.get(DEFAULT, 0)))) for name in ablations}


def budgets_of(given: Sequence[int | None] | None) -> list[int | None]:
    """Steps, None for the size's own."""
    budgets: list[int | None] = [None] if given is None else list(given)
    check_twice("budget", budgets)
    for budget in budgets:
        if budget is not None:
            check_whole("a budget", budget, least=1)
    if not budgets:
        raise ValueError("budgets must name a number of steps, or be left out")
    return budgets


def check_whole(what: str, value: object, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{what} must be a whole number from {least} on, not {value!r}")


def check_twice(kind: str, values: Sequence[object]) -> None:
    """ValueError where a value comes twice: two runs would share one folder."""
    for value in values:
        if list(values).count(value) > 1:
            raise ValueError(f"{kind} {value} is named twice: two runs cannot share one folder")
