import json
import struct

import pytest
import torch
from safetensors.torch import load_file, save_file

from dcvae.inference.transcode.latents_file import (
    Encoded,
    EncodedError,
    read_encoded,
    write_encoded,
)

ENCODED = Encoded(torch.randn(80, 7), 16000, 20000, 5.383, "0123456789abcdef")


def test_what_is_written_comes_back(tmp_path):
    write_encoded(tmp_path / "a.safetensors", ENCODED)
    again = read_encoded(tmp_path / "a.safetensors")
    assert torch.equal(again.latents, ENCODED.latents)
    assert (again.sample_rate, again.samples, again.frame_rate, again.model) == (
        16000, 20000, 5.383, "0123456789abcdef",
    )  # fmt: skip


def test_anyone_can_read_it(tmp_path):
    """By safetensors' own layout: a length, a JSON header, the numbers."""
    path = tmp_path / "a.safetensors"
    write_encoded(path, ENCODED)
    assert list(load_file(path)) == ["latents"]
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    assert json.loads(content[8 : 8 + length])["__metadata__"] == {
        "sample_rate": "16000",
        "samples": "20000",
        "frame_rate": "5.383",
        "model": "0123456789abcdef",
    }


def test_bad_files_are_one_line_that_names_them(tmp_path):
    metadata = {"sample_rate": "16000", "samples": "9", "frame_rate": "5.4", "model": "0"}
    good = {"latents": torch.ones(80, 2)}
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("no latents")
    save_file(good, tmp_path / "bare")
    save_file({"weight": torch.ones(2)}, tmp_path / "model", metadata)
    save_file(good, tmp_path / "words", metadata | {"samples": "many"})
    save_file(good, tmp_path / "none", metadata | {"samples": "0"})
    save_file({"latents": torch.ones(2)}, tmp_path / "flat", metadata)
    save_file({"latents": torch.full((80, 2), torch.nan)}, tmp_path / "nan", metadata)
    save_file(good, tmp_path / "cut", metadata)
    (tmp_path / "cut").write_bytes((tmp_path / "cut").read_bytes()[:-10])
    for name, words in {
        "missing": "is not there",
        "folder": "is a folder",
        "text": "no safetensors file",
        "bare": "holds no latents",
        "model": "holds no latents",
        "words": "unusable metadata",
        "none": "unusable metadata",
        "flat": "shape",
        "nan": "no finite",
        "cut": "damaged",
    }.items():
        with pytest.raises(EncodedError, match=words) as told:
            read_encoded(tmp_path / name)
        assert str(tmp_path / name) in str(told.value)
        assert "\n" not in str(told.value)
