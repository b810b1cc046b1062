import os
from pathlib import Path

import pytest

from dcvae.inference.transcode.outputs import JOURNAL, Journal, place

SETTINGS = {"model": "0123", "vocoder": "griffin_lim"}


@pytest.fixture
def task(tmp_path):
    source, target = tmp_path / "a.wav", tmp_path / "out" / "b" / "a.safetensors"
    source.touch()
    return source, target


def finish(journal, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    target.touch()
    journal.add(target)


def test_what_a_command_finished_is_known_to_the_next(tmp_path, task):
    source, target = task
    journal = Journal(tmp_path / "out", SETTINGS, overwrite=False)
    assert not journal.is_finished(source, target)
    journal.check(target)
    finish(journal, target)
    again = Journal(tmp_path / "out", SETTINGS, overwrite=False)
    assert again.is_finished(source, target)
    assert Journal(tmp_path / "out", SETTINGS, overwrite=False).is_finished(source, target)


def test_other_settings_and_newer_sources_are_not_finished(tmp_path, task):
    source, target = task
    finish(Journal(tmp_path / "out", SETTINGS, overwrite=False), target)
    os.utime(source, (2e9, 2e9))
    same = Journal(tmp_path / "out", SETTINGS, overwrite=False)
    assert not same.is_finished(source, target)
    same.check(target)  # it is ours to write anew
    other = Journal(tmp_path / "out", SETTINGS | {"model": "4567"}, overwrite=False)
    assert not other.is_finished(source, target)
    with pytest.raises(ValueError, match="--overwrite"):
        other.check(target)


def test_a_file_that_something_else_made_is_refused(tmp_path, task):
    source, target = task
    target.parent.mkdir(parents=True)
    target.touch()
    journal = Journal(tmp_path / "out", SETTINGS, overwrite=False)
    with pytest.raises(ValueError, match=r"a\.safetensors exists: --overwrite"):
        journal.check(target)
    assert not Journal(tmp_path / "out", SETTINGS, overwrite=False).is_finished(source, target)
    Journal(tmp_path / "out", SETTINGS, overwrite=True).check(target)


def test_overwrite_begins_anew(tmp_path, task):
    source, target = task
    finish(Journal(tmp_path / "out", SETTINGS, overwrite=False), target)
    assert not Journal(tmp_path / "out", SETTINGS, overwrite=True).is_finished(source, target)


def test_a_journal_cut_short_counts_as_far_as_it_goes(tmp_path, task):
    source, target = task
    journal = Journal(tmp_path / "out", SETTINGS, overwrite=False)
    finish(journal, target)
    with (tmp_path / "out" / JOURNAL).open("a") as file:
        file.write('"b/b.safeten')
    assert Journal(tmp_path / "out", SETTINGS, overwrite=False).is_finished(source, target)


def test_targets_lie_as_the_sources_do(tmp_path):
    sources = [(Path("x/a.wav"), Path("a.wav")), (Path("x/b/a.wav"), Path("b/a.wav"))]
    targets = [target for _, target in place(sources, tmp_path, ".npz")]
    assert targets == [tmp_path / "a.npz", tmp_path / "b" / "a.npz"]
    with pytest.raises(ValueError, match=r"x/a\.wav and y/a\.flac"):
        place([*sources, (Path("y/a.flac"), Path("a.flac"))], tmp_path, ".npz")
