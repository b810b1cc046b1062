"""The arrows of the design: who may import whom. They are read from the source, not trusted."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOUSES = ("dcvae", "experiments", "analysis", "reports")
SLOW = {"diffusers", "transformers"}  # to import: ten seconds of a slow core
FORBIDDEN = {
    "dcvae": {"experiments", "analysis", "reports", "hydra", "omegaconf", "accelerate", "mlflow"}
    | SLOW,
    "experiments": {"analysis", "reports"} | SLOW,
    "analysis": {"experiments", "reports", "hydra", "omegaconf", "accelerate"},
    "reports": {"dcvae", "experiments", "analysis", "torch", "hydra", "omegaconf", "accelerate"},
}
# What the ablations claim, and the contract of run folders: they need no torch.
UTILS = {f"dcvae.utils.{name}" for name in ("csv_lines", "errors", "files", "jsonl", "workers")}
EXCEPTED = {
    "reports": {f"dcvae.{name}" for name in ("claims", "runs", "study_plan", "system_names")}
    | UTILS
}
ROOMS = ("utils", "audio", "data", "models", "vocoders", "inference")  # of dcvae, each on the last
FILES = sorted(path for house in HOUSES for path in (ROOT / house).rglob("*.py"))


def imports(path: Path) -> set[str]:
    """The first parts of all modules that a file imports."""
    return {name.split(".")[0] for name in modules(path)}


def modules(path: Path) -> set[str]:
    """All modules that a file imports, wherever in it, or names to importlib."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found.add(str(node.module))
        elif isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func):
            found.add(ast.literal_eval(node.args[0]))
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_follow_the_arrows(path):
    house = path.relative_to(ROOT).parts[0]
    found = modules(path) - EXCEPTED.get(house, set())
    assert not {name.split(".")[0] for name in found} & FORBIDDEN[house]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_of_dcvae_rests_on_those_before_it(room):
    before = {f"dcvae.{name}" for name in ROOMS[: ROOMS.index(room) + 1]}
    for path in (ROOT / "dcvae" / room).rglob("*.py"):
        ours = {name for name in modules(path) if name.startswith("dcvae.")}
        assert {".".join(name.split(".")[:2]) for name in ours} <= before, path


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_no_module_imports_itself_in_a_circle():
    """Imports within functions count too. What is left when modules without imports go, again and
    again, are circles and what leads to them.
    """
    ours = {name_of(path): path for path in FILES}
    needs = {}
    for name, path in ours.items():
        found = modules(path) | names(path)
        needs[name] = {one for one in found if one in ours} - {name}
    while free := [name for name, needed in needs.items() if not needed]:
        for name in free:
            del needs[name]
        needs = {name: needed - set(free) for name, needed in needs.items()}
    assert not needs


def names(path: Path) -> set[str]:
    """What a file imports from modules, with their names: modules too, it may be."""
    return {
        f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_unpickled(path):
    text = path.read_text()
    loads = re.findall(r"torch\.load\([^\n]*", text)
    assert all("weights_only=True" in load for load in loads)
    if "pickle" in imports(path):  # what torch.load raises may be named
        (line,) = re.findall(r"^.*\bimport\b.*pickle.*|^from pickle.*", text, re.MULTILINE)
        assert line == "from pickle import UnpicklingError"
    assert "joblib" not in imports(path)


def test_hydra_is_named_by_run_and_composing_alone():
    named = {
        str(path.relative_to(ROOT)) for path in FILES if imports(path) & {"hydra", "omegaconf"}
    }
    assert named == {"experiments/run.py", "experiments/config.py"}


def test_no_configuration_object_below_run():
    """`cfg` stands for the configuration object; arguments take its place below run.py."""
    for path in FILES:
        if path.name != "run.py":
            names = {
                node.id
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Name)
            }
            assert "cfg" not in names, path


def test_experiments_shadow_no_module():
    """run.py puts experiments/ first on sys.path: a file there must not hide a library."""
    import importlib.util
    import sys

    for path in (ROOT / "experiments").iterdir():
        if path.suffix == ".py" and path.stem not in ("__init__", "run"):
            assert path.stem not in sys.stdlib_module_names, path
            found = importlib.util.find_spec(path.stem)
            assert found is None or Path(str(found.origin)).is_relative_to(ROOT), path


def test_every_argument_is_typed():
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
                bare = [
                    a.arg
                    for a in arguments
                    if a.annotation is None and a.arg not in ("self", "cls")
                ]
                assert not bare, f"{path}: {node.name}({', '.join(bare)})"
