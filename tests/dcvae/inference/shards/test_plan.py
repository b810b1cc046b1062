import json
import os
from dataclasses import replace

import pytest

from dcvae.data.latent_shards import PLAN
from dcvae.data.manifest import write_manifest
from dcvae.inference.shards.plan import Plan

SETTINGS = {"checkpoint": "0123", "clips_per_shard": 4}


def plan(*sources, **changes):
    return Plan.of(sources, SETTINGS | changes)


def ids(made):
    return [[*made.rows(shard)["id"]] for shard in range(made.shards)]


def test_a_manifest_is_cut_in_the_order_of_its_paths(clips, tmp_path):
    folder = clips[0].path.parent
    made = plan(folder / "manifest.csv")
    names = sorted(clip.key for clip in clips)
    assert ids(made) == [names[:4], names[4:8], names[8:]]
    rows = made.rows(1)
    assert rows["tensor"] == ["00000004", "00000005", "00000006", "00000007"]
    expected = {clip.key: clip for clip in clips}
    for row, name in enumerate(rows["id"]):
        clip = expected[name]
        assert os.fsdecode(rows["path"][row]) == str(clip.path)
        for label in ("text", "speaker", "language", "split"):
            assert rows[label][row] == getattr(clip, label)


def test_the_same_clips_are_the_same_plan_in_any_order_and_form(clips, tmp_path):
    folder = clips[0].path.parent
    backwards = [replace(clip, path=clip.path) for clip in reversed(list(clips))]
    for clip in clips:
        (tmp_path / clip.key).symlink_to(clip.path)
    for name in ("a.csv", "a.parquet"):
        moved = [replace(clip, path=tmp_path / clip.key) for clip in backwards]
        write_manifest(tmp_path / name, moved)
        assert plan(tmp_path / name).id == plan(folder / "manifest.csv").id
    assert plan(folder).id == plan(*sorted(folder.glob("*.flac"), reverse=True)).id
    assert plan(folder).id != plan(folder / "manifest.csv").id  # which has labels


def test_other_input_is_another_plan(clips, tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.wav").write_bytes(b"12")
    made = plan(tmp_path)
    assert plan(tmp_path).id == made.id
    assert plan(tmp_path, checkpoint="4567").id != made.id
    assert plan(tmp_path / "a.wav").id != made.id
    (tmp_path / "a.wav").write_bytes(b"123")
    assert plan(tmp_path).id != made.id


def test_a_file_that_is_missing_is_planned(tmp_path):
    assert ids(plan(tmp_path / "none.wav")) == [["none.wav"]]


def test_two_clips_of_one_name_are_refused(tmp_path):
    for folder in "ab":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.wav").touch()
    assert ids(plan(tmp_path)) == [["a/x.wav", "b/x.wav"]]
    with pytest.raises(ValueError, match=r"a/x.wav and .*b/x.wav would both be called x.wav"):
        plan(tmp_path / "a", tmp_path / "b")


def test_a_path_that_is_not_utf8_keeps_its_file(tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9.wav"
    with open(path, "wb"):
        made = plan(tmp_path)
    assert made.rows(0)["path"] == [path]
    assert ids(made) == [["caf\\xe9.wav"]]


def test_a_folder_goes_on_with_its_own_plan_alone(tmp_path, clips):
    source, out = clips[0].path.parent, tmp_path / "out"
    out.mkdir()
    made = plan(source)
    made.begin(out, overwrite=False)
    assert json.loads((out / PLAN).read_text()) == made.settings
    made.begin(out, overwrite=False)
    (out / "shard-00000.safetensors").touch()
    for other, words in (
        (plan(source, checkpoint="4567"), r"another checkpoint \(0123, now 4567\)"),
        (plan(source, clips_per_shard=5), r"another clips per shard \(4, now 5\)"),
        (plan(source / "manifest.csv"), "another input"),
        (plan(clips[0].path), r"another clips \(10, now 1\)"),
    ):
        with pytest.raises(ValueError, match=words) as told:
            other.begin(out, overwrite=False)
        assert str(out) in str(told.value)
    assert (out / "shard-00000.safetensors").exists()
    for begun in (made, other):
        (out / "shard-00000.safetensors").touch()
        begun.begin(out, overwrite=True)
        assert [path.name for path in out.iterdir()] == [PLAN]
    assert json.loads((out / PLAN).read_text()) == other.settings


def test_a_folder_of_other_files_is_left_alone(tmp_path, clips):
    (tmp_path / "mine.txt").touch()
    for overwrite in (False, True):
        with pytest.raises(ValueError, match="other files"):
            plan(clips[0].path).begin(tmp_path, overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_damaged_plan_is_told(tmp_path, clips):
    (tmp_path / PLAN).write_text("{")
    with pytest.raises(ValueError, match=r"plan\.json is damaged"):
        plan(clips[0].path).begin(tmp_path, overwrite=False)
