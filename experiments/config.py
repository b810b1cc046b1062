"""A run's whole configuration as Hydra composes it, without starting the run: no torch here.

With run.py the only file that names Hydra: a study must know of every run, before the first
starts, what run.py will compare with the folder that it finds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException, InstantiationException
from hydra.utils import instantiate as hydra_instantiate
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from dcvae.claims import BASELINE
from dcvae.data.provenance import size_folder
from dcvae.runs import RunError
from experiments.ablations import Registry, Wanted
from experiments.limits import check_limits
from experiments.record import flatten
from experiments.targets import check_targets
from experiments.yaml_files import CONF, check_ablation, check_choice, check_yaml

GROUPS = ("size", "data", "vocoder")  # folders of it, of which one file is chosen
T = TypeVar("T")
COMPOSING_ERRORS = (HydraException, OmegaConfBaseException)


RENAMED = {  # keys of before, and what they are called now
    "adversary.start": "adversary.start_fraction",
    **{f"data.{name}": f"data.labels.{name}" for name in ("speaker", "language", "text")},
    "trainer.accumulate": "trainer.gradient_accumulation_steps",
    "trainer.clip_norm": "trainer.max_grad_norm",
    "trainer.ema": "trainer.ema_decay",
    "trainer.final_lr": "trainer.min_lr_ratio",
    "trainer.recompute": "trainer.activation_checkpointing",
    "trainer.warmup": "trainer.warmup_steps",
    **{
        f"{place}.{old}": f"{place}.{new}"
        for place in ("optimizer", "adversary.optimizer")
        for old, new in {
            "betas": "adamw.betas",
            "momentum": "muon.momentum",
            "muon_gains": "muon.gains",
            "muon_scale": "muon.scale",
        }.items()
    },
}


@dataclass(frozen=True)
class Composed:
    """What a run is trained with, and where."""

    config: dict[str, Any]
    size: str
    budget: int | None  # steps; None: as many as the size's file says
    run_dir: Path


@cache
def read_registry() -> Registry:
    """The ablations of conf/ablation, read once; ValueError for a file of conf/ that is none."""
    known = frozenset({*check_yaml(CONF / "config.yaml"), "data", "equal_parameters"}) - {"hydra"}
    for group in GROUPS:
        for path in (CONF / group).glob("*.yaml"):
            check_yaml(path)
    files: dict[str, Mapping[str, Any]] = {}
    for path in sorted((CONF / "ablation").glob("*.yaml")):
        check_ablation(path, known)
        files[path.stem] = OmegaConf.to_container(OmegaConf.load(path))  # type: ignore[assignment]
    return Registry(files)


def hydra_overrides(arguments: Sequence[str], registry: Registry) -> list[str]:
    """run.py's arguments as Hydra takes them: a composition as a list of its single ablations.

    Hydra refuses a file that is listed twice, as two named compositions would have it, and knows
    no "a+b". ValueError for an ablation that there is not, or that contradicts another.
    """
    given = []
    check_names(arguments)
    for argument in arguments:
        key, _, wanted = argument.partition("=")
        if key == "ablation" and not is_sweep(wanted):
            given += ablation_overrides(wanted, registry)
        else:
            given.append(argument)
    return given


def check_names(overrides: Sequence[str]) -> None:
    """ValueError for an old name, which gives the new one, and for a file that there is not."""
    for override in overrides:
        key, _, value = override.partition("=")
        key = key.lstrip("+~")
        if key in GROUPS and "," not in value:
            check_choice(CONF / key, value)
        if key in RENAMED:
            raise ValueError(f"{key} is now called {RENAMED[key]}")


def ablation_overrides(wanted: Wanted, registry: Registry) -> list[str]:
    name = registry.name(wanted)
    if name in registry.files:
        return [f"ablation=[{name}]"]
    return [f"ablation=[{','.join(registry.parts(name))}]", "claims=[]"]  # not the last part's


def is_sweep(wanted: str) -> bool:
    """Hydra's own "a,b" without brackets: one run each."""
    return "," in wanted and not wanted.strip().startswith("[")


def chosen_ablation(overrides: Sequence[str], registry: Registry) -> str:
    """The name of what Hydra was given; its own record has no choice that is a list."""
    chosen = [one.removeprefix("ablation=") for one in overrides if one.startswith("ablation=")]
    return registry.name(chosen[-1] if chosen else BASELINE)


def compose_runs(ablation: str, seeds: Sequence[int], overrides: Sequence[str]) -> list[Composed]:
    """The configurations of these seeds, all else equal: Hydra is asked once, for it takes time.

    HydraException, OmegaConfBaseException or ValueError for overrides that do not compose.
    """
    registry = read_registry()
    ablation = registry.name(ablation)
    check_names(overrides)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composed = compose(
            "config",
            overrides=[*ablation_overrides(ablation, registry), *overrides],
            return_hydra_config=True,
        )
    size = composed.hydra.runtime.choices["size"]
    with open_dict(composed):
        del composed["hydra"]
    check_types(composed, size)
    found, own_steps = [], steps_of(size)
    for seed in seeds:
        composed.seed = seed
        config = plain_values(composed)
        budget = budget_of(config, own_steps)
        found.append(Composed(config, size, budget, run_folder(config, size, budget, ablation)))
    return found


def instantiate(section: Mapping[str, Any] | None) -> Any:
    """The object that a section's _target_ makes of it; None of none.

    Hydra's own, but a part's own complaint (ValueError, OSError) is passed on as it is.
    """
    try:
        return hydra_instantiate(section)
    except InstantiationException as error:
        if isinstance(error.__cause__, ValueError | OSError):
            raise error.__cause__ from None
        raise


def resolve_config(composed: DictConfig, size: str) -> dict[str, Any]:
    """The configuration as plain values, its types checked and its paths made absolute."""
    check_types(composed, size)
    return plain_values(composed)


def plain_values(composed: DictConfig) -> dict[str, Any]:
    """The configuration as plain values, its code and numbers checked, its paths absolute."""
    if composed.vocoder.get("path"):  # so that the analysis finds it from any folder
        composed.vocoder.path = str(Path(composed.vocoder.path).resolve())
    config: dict[str, Any] = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)  # type: ignore[assignment]
    check_targets(config)
    check_limits(config)
    return config


def steps_of(size: str) -> int | None:
    """The steps that the size's file says."""
    own = stated_numbers(size).get("trainer.steps")
    return None if own is None else int(own)


def budget_of(config: dict[str, Any], own_steps: int | None) -> int | None:
    """The training's steps, or None where they are the size's own."""
    steps: int = config["trainer"]["steps"]
    return None if steps == own_steps else steps


def run_folder(config: dict[str, Any], size: str, budget: int | None, ablation: str) -> Path:
    place = size_folder(size, budget)
    return Path(config["runs_dir"], place, ablation, f"seed{config['seed']}")


@cache
def stated_numbers(size: str) -> dict[str, int | float]:
    """The numbers of config.yaml and of the size's file, by their dotted names; read once."""
    files = [CONF / "config.yaml", CONF / "size" / f"{size}.yaml"]
    stated = OmegaConf.to_container(OmegaConf.merge(*map(OmegaConf.load, files)))
    every = flatten(stated)  # type: ignore[arg-type]
    return {name: value for name, value in every.items() if isinstance(value, int | float)}


def check_types(composed: DictConfig, size: str) -> None:
    """ValueError for a number that became something else: trainer.steps=many."""
    given = flatten(OmegaConf.to_container(composed, resolve=True))  # type: ignore[arg-type]
    for name, value in stated_numbers(size).items():
        now_is = given.get(name)
        if name not in given and any(one.startswith(f"{name}.") for one in given):
            now_is = "a mapping"
        if not isinstance(now_is, int | float | None):
            raise ValueError(f"{name} must be a number such as {value}, not {now_is!r}")


def read_typed(schema: type[T], path: Path, changes: Sequence[str]) -> T:
    """An object of the dataclass `schema` from a YAML file and "a.b=value" on top of it.

    OmegaConfBaseException for a key that `schema` does not have, and for a value of another type.
    """
    check_yaml(path)
    written, changed = OmegaConf.load(path), OmegaConf.from_dotlist(list(changes))
    for key in set(written) & set(changed):
        if type(written[key]) is not type(changed[key]):  # a list in a mapping's place
            del written[key]
    merged = OmegaConf.merge(OmegaConf.structured(schema), written, changed)
    typed: T = OmegaConf.to_object(merged)  # type: ignore[assignment]
    return typed


def check_same_config(run_dir: Path, record: dict[str, Any], config: dict[str, Any]) -> None:
    """RunError that names what differs: one folder never mixes two configurations.

    A run of a commit with other names has to go on there.
    """
    if record.get("config") is None:
        raise RunError(f"{run_dir}/run.json is damaged: it has no 'config'; remove {run_dir}")
    was, now_is = flatten(record["config"]), flatten(config)
    if old := next((name for name in was if name in RENAMED), None):
        raise RunError(
            f"{run_dir} was begun by commit {record.get('commit')}, where {RENAMED[old]} was still"
            f" called {old}: that commit goes on with it; here, take another runs_dir=FOLDER"
        )
    changed = [name for name in {**was, **now_is} if was.get(name) != now_is.get(name)]
    if changed:
        name = changed[0]
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise RunError(
            f"{run_dir} holds a run with {name}={was.get(name)}, not {now_is.get(name)}{more}:"
            " give this one another place with runs_dir=FOLDER, or remove that folder"
        )
