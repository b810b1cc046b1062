import subprocess
from pathlib import Path

import pytest

from experiments.record import RunError, check_same_config, git_commit, read_record, write_record


def test_record_comes_back(tmp_path):
    assert read_record(tmp_path) is None
    write_record(tmp_path, {"steps": 3})
    assert read_record(tmp_path) == {"steps": 3}
    (tmp_path / "run.json").write_text('{"steps"')
    with pytest.raises(RunError, match=r"run\.json is damaged"):
        read_record(tmp_path)


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
