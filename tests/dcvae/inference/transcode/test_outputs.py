import os
from pathlib import Path

import pytest

from dcvae.inference.transcode.outputs import OUTPUT_LOG, OutputLog, place

SETTINGS = {"model": "0123", "vocoder": "griffin_lim"}


@pytest.fixture
def task(tmp_path):
    source, target = tmp_path / "a.wav", tmp_path / "out" / "b" / "a.safetensors"
    source.touch()
    return source, target


def finish(output_log, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    target.touch()
    output_log.add(target)


def test_what_a_command_finished_is_known_to_the_next(tmp_path, task):
    source, target = task
    output_log = OutputLog(tmp_path / "out", SETTINGS, overwrite=False)
    assert not output_log.is_finished(source, target)
    output_log.check(target)
    finish(output_log, target)
    again = OutputLog(tmp_path / "out", SETTINGS, overwrite=False)
    assert again.is_finished(source, target)
    assert OutputLog(tmp_path / "out", SETTINGS, overwrite=False).is_finished(source, target)


def test_other_settings_and_newer_sources_are_not_finished(tmp_path, task):
    source, target = task
    finish(OutputLog(tmp_path / "out", SETTINGS, overwrite=False), target)
    os.utime(source, (2e9, 2e9))
    same = OutputLog(tmp_path / "out", SETTINGS, overwrite=False)
    assert not same.is_finished(source, target)
    same.check(target)  # it is ours to write anew
    other = OutputLog(tmp_path / "out", SETTINGS | {"model": "4567"}, overwrite=False)
    assert not other.is_finished(source, target)
    with pytest.raises(ValueError, match="--overwrite"):
        other.check(target)


def test_a_file_that_something_else_made_is_refused(tmp_path, task):
    source, target = task
    target.parent.mkdir(parents=True)
    target.touch()
    output_log = OutputLog(tmp_path / "out", SETTINGS, overwrite=False)
    with pytest.raises(ValueError, match=r"a\.safetensors exists: --overwrite"):
        output_log.check(target)
    assert not OutputLog(tmp_path / "out", SETTINGS, overwrite=False).is_finished(source, target)
    OutputLog(tmp_path / "out", SETTINGS, overwrite=True).check(target)


def test_overwrite_begins_anew(tmp_path, task):
    source, target = task
    finish(OutputLog(tmp_path / "out", SETTINGS, overwrite=False), target)
    assert not OutputLog(tmp_path / "out", SETTINGS, overwrite=True).is_finished(source, target)


def test_a_log_cut_short_counts_as_far_as_it_goes(tmp_path, task):
    source, target = task
    output_log = OutputLog(tmp_path / "out", SETTINGS, overwrite=False)
    finish(output_log, target)
    with (tmp_path / "out" / OUTPUT_LOG).open("a") as file:
        file.write('"b/b.safeten')
    resumed = OutputLog(tmp_path / "out", SETTINGS, overwrite=False)
    assert resumed.is_finished(source, target)
    other = target.with_name("c.safetensors")
    finish(resumed, other)
    resumed = OutputLog(tmp_path / "out", SETTINGS, overwrite=False)
    assert resumed.is_finished(source, target)
    assert resumed.is_finished(source, other)


def test_targets_lie_as_the_sources_do(tmp_path):
    sources = [(Path("x/a.wav"), Path("a.wav")), (Path("x/b/a.wav"), Path("b/a.wav"))]
    targets = [target for _, target in place(sources, tmp_path, ".npz")]
    assert targets == [tmp_path / "a.npz", tmp_path / "b" / "a.npz"]
    with pytest.raises(ValueError, match=r"x/a\.wav and y/a\.flac"):
        place([*sources, (Path("y/a.flac"), Path("a.flac"))], tmp_path, ".npz")
