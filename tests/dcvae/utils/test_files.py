import pytest

from dcvae.utils.files import replacing, replacing_folder, temporary_folder


def test_file_takes_its_place_only_when_whole(tmp_path):
    path = tmp_path / "sub" / "file.txt"
    with replacing(path) as temporary:
        temporary.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half of the n")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [file.name for file in path.parent.iterdir()] == ["file.txt"]


def test_folder_takes_its_place_only_when_whole(tmp_path):
    folder = tmp_path / "model"
    with replacing_folder(folder) as temporary:
        assert temporary == temporary_folder(folder)
        (temporary / "a").write_text("old")
        (temporary / "nowhere").symlink_to("nothing")
    with pytest.raises(RuntimeError), replacing_folder(folder) as temporary:
        (temporary / "a").write_text("half")
        raise RuntimeError
    assert (folder / "a").read_text() == "old"
    with replacing_folder(folder) as temporary:
        (temporary / "b").write_text("new")
    assert [file.name for file in folder.iterdir()] == ["b"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_full_disk_names_the_file(tmp_path):
    with (
        pytest.raises(OSError, match=r"model cannot be written: No space left"),
        replacing_folder(tmp_path / "model"),
    ):
        raise OSError(28, "No space left on device")


def test_a_file_in_the_folders_place_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot be written"), replacing(tmp_path / "file" / "x"):
        pass
