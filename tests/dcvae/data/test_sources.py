from pathlib import Path

import pytest

from dcvae.data.manifest import Clip, write_manifest
from dcvae.data.sources import AUDIO, find_files, find_sources


@pytest.fixture
def tree(tmp_path):
    for name in ("a.wav", "b/c.FLAC", "b/d.txt", "b/.hidden.wav", "b/e/f.ogg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_a_folder_is_searched_to_its_depths_in_a_fixed_order(tree):
    found = [path.relative_to(tree).as_posix() for path in find_files(tree)]
    assert found == ["a.wav", "b/c.FLAC", "b/e/f.ogg"]


def test_links_lead_to_no_file_twice_and_have_an_end(tree):
    (tree / "b" / "up").symlink_to(tree)
    (tree / "b" / "e" / "up").symlink_to(tree / "b")
    (tree / "0.wav").symlink_to("a.wav")
    (tree / "gone.wav").symlink_to("nothing.wav")
    outside = tree.parent / f"{tree.name}-outside"
    outside.mkdir()
    (outside / "g.wav").touch()
    (tree / "linked").symlink_to(outside)
    found = [path.relative_to(tree).as_posix() for path in find_files(tree)]
    assert found == ["a.wav", "b/c.FLAC", "b/e/f.ogg", "gone.wav", "linked/g.wav"]


def test_files_folders_and_lists_keep_their_places(tree, monkeypatch):
    monkeypatch.chdir(tree)
    Path("list.txt").write_text("b/c.FLAC\n\nb/e/f.ogg\nb/c.FLAC\n")
    clips = [Clip(tree / "b" / "c.FLAC", 1.0, 16000), Clip(tree / "a.wav", 1.0, 16000)]
    write_manifest(tree / "m.csv", clips)

    def places(*inputs):
        return [name.as_posix() for _, name in find_sources(map(Path, inputs), AUDIO)]

    assert places("b/e/f.ogg") == ["f.ogg"]
    assert places("b") == ["c.FLAC", "e/f.ogg"]
    assert places("list.txt") == ["c.FLAC", "e/f.ogg"]
    assert places("m.csv") == ["b/c.FLAC", "a.wav"]
    assert places("a.wav", "b", "b/c.FLAC") == ["a.wav", "c.FLAC", "e/f.ogg"]
    assert places("not_there.wav") == ["not_there.wav"]  # its reader tells


def test_an_input_that_stands_for_nothing_is_told(tree):
    (tree / "none").mkdir()
    (tree / "empty.txt").touch()
    for name, words in {
        "none": "holds no audio files",
        "empty.txt": "is empty",
        "missing.txt": "does not exist",
        "missing.csv": "no such manifest",
    }.items():
        with pytest.raises(ValueError, match=words) as told:
            find_sources([tree / name], AUDIO)
        assert name in str(told.value)
