"""YAML files that are none: one line that names file and line, before Hydra reads them."""

import re
from pathlib import Path

import pytest

from experiments import config
from experiments.config import read_registry
from experiments.studies.options import Study
from experiments.yaml_files import CONF, check_ablation, check_yaml

KNOWN = frozenset({"model", "claims", "defaults"})
BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
FILES = {
    "a: [1\n": "line 2: expected",
    "model:\n\tnoise: none\n": "line 2: found character",
    "model: {a: 1}\nmodel: {b: 1}\n": "line 2: 'model' is there twice",
    "model: {a: 1, a: 2}\n": "line 1: 'a' is there twice",
    "hello\n": "must hold a mapping",
    "[1, 2]\n": "must hold a mapping",
    "a: " + "[" * 5000 + "]" * 5000: "is no YAML",
    BOMB: "line 2: *a0 is an alias, which is not taken",
}


@pytest.mark.parametrize(("text", "told"), FILES.items(), ids=range(len(FILES)))
def test_a_file_that_is_no_configuration_is_named(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=re.escape(told)) as caught:
        check_yaml(path)
    assert str(path) in str(caught.value)
    with pytest.raises(ValueError, match=re.escape(told)):
        config.read_typed(Study, path, [])


def test_what_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"bad\.yaml is no YAML"):
        check_yaml(tmp_path / "bad.yaml")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("model: {noise: none}\n", "must begin with the line '# @package _global_'"),
        ("", "must begin with the line"),
        ("# @package _global_\nclaim: hello\n", "there is no 'claim' to change"),
        ("# @package _global_\nhydra: {callbacks: {}}\n", "there is no 'hydra' to change"),
        ("# @package _global_\ndefaults: no_noise\n", "defaults must be a list"),
    ],
)
def test_an_ablation_that_would_change_nothing_is_told(
    tmp_path: Path, text: str, told: str
) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(ValueError, match=re.escape(told)):
        check_ablation(tmp_path / "bad.yaml", KNOWN)


def test_every_file_there_is_can_be_read() -> None:
    read_registry()
    for path in CONF.rglob("*.yaml"):
        check_yaml(path)


@pytest.mark.parametrize(
    ("module", "argument"),
    [
        ("study.py", "study=../ablation/baseline"),
        ("run.py", "size=../ablation/baseline"),
        ("run.py", "data=../ablation/baseline"),
        ("run.py", "vocoder=nothing"),
    ],
)
def test_a_choice_is_a_file_of_its_folder(commands, tmp_path, module, argument) -> None:
    is_study = module == "study.py"
    called = ("-m", "experiments.study") if is_study else (CONF.parent / module,)
    done = commands(tmp_path, *called, argument)
    group, _, name = argument.partition("=")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"there is no {group} {name!r}: choose from " in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
