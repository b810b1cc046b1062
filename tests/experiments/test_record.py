import subprocess
from pathlib import Path

import pytest

from dcvae.runs import RunError
from experiments.config import check_same_config
from experiments.record import git_commit


def test_another_configuration_is_named(tmp_path):
    record = {"config": {"model": {"noise": "none", "std": 0.5}, "seed": 0}}
    check_same_config(tmp_path, record, {"model": {"noise": "none", "std": 0.5}, "seed": 0})
    with pytest.raises(RunError, match=r"model\.noise=none, not kl and 1 more"):
        check_same_config(tmp_path, record, {"model": {"noise": "kl", "std": 0.1}, "seed": 0})
    with pytest.raises(RunError, match=r"seed=0, not None"):
        check_same_config(tmp_path, record, {"model": {"noise": "none", "std": 0.5}})


def test_commit_is_gits():
    described = subprocess.run(
        ["git", "rev-parse", "HEAD"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    if described.returncode:
        assert git_commit() == "unknown"
    else:
        assert described.stdout.startswith(git_commit().removesuffix("-dirty"))
