"""Names of before: refused with the new one, on a command line and in a run's folder."""

import pytest

from dcvae.runs import RunError
from experiments.config import (
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
