"""What a configuration may not hold: names of before, code that nobody allowed."""

import re

import pytest

from dcvae.runs import RunError
from experiments.config import (
    CONF,
    RENAMED,
    check_same_config,
    compose_runs,
    hydra_overrides,
    read_registry,
)
from experiments.record import flatten


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_an_old_name_is_refused_with_the_new_one(old, new):
    with pytest.raises(ValueError, match=rf"^{old} is now called {new}$"):
        hydra_overrides(["size=debug", f"{old}=1"], read_registry())
    with pytest.raises(ValueError, match=rf"^{old} is now called {new}$"):
        compose_runs("baseline", [0], [f"{old}=1"])


def test_every_new_name_is_a_key_of_the_published_recipe():
    (full,) = compose_runs("baseline", [0], ["size=full", "data=hub", "data.repo=a/b"])
    assert set(RENAMED.values()) <= set(flatten(full.config))
    assert not set(RENAMED) & set(flatten(full.config))


def test_a_run_begun_with_old_names_goes_on_at_its_own_commit(tmp_path):
    record = {"commit": "abc123", "config": {"trainer": {"steps": 2, "warmup": 1}}}
    with pytest.raises(RunError, match=r"abc123.*trainer\.warmup_steps.*trainer\.warmup"):
        check_same_config(tmp_path, record, {"trainer": {"steps": 2, "warmup_steps": 1}})


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("loader.cache={_target_:numpy.load}", "loader.cache._target_=numpy.load: code is"),
        ("model.channels=[{_target_:os.getcwd}]", "model.channels.0._target_=os.getcwd: code"),
        ("model._target_=torch.hub.load", "model._target_=torch.hub.load is not dcvae.Speech"),
        ("model._target_=dcvae.utils.files.shutil.rmtree", "is not dcvae.SpeechAutoencoder"),
    ],
)
def test_a_configuration_calls_nothing_that_is_not_on_the_list(override, told):
    with pytest.raises(ValueError, match=re.escape(told)):
        compose_runs("baseline", [0], ["size=debug", override])


def test_the_environment_allows_code_of_ones_own(monkeypatch):
    monkeypatch.setenv("DCVAE_ALLOWED_TARGETS", "other.Model, my_package.MyModel")
    (composed,) = compose_runs("baseline", [0], ["size=debug", "model._target_=my_package.MyModel"])
    assert composed.config["model"]["_target_"] == "my_package.MyModel"


def test_a_nested_target_is_told_before_anything_is_called(commands, tmp_path):
    override = "validation.examples={_target_:pathlib.Path.touch,_args_:[harm]}"
    done = commands(tmp_path, CONF.parent / "run.py", "size=debug", override)
    assert (done.returncode, done.stdout) == (2, "")
    assert "validation.examples" in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
