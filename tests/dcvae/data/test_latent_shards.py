import json
import math
import random
import struct

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from dcvae.data.latent_shards import (
    Moments,
    ShardError,
    ShardFacts,
    index_table,
    open_shard,
    read_index,
    read_json,
    read_tensor,
    write_index,
    write_shard,
)

FRAMES = {f"{number:08d}": torch.randn(number + 1, 6) for number in range(3)}


def facts(frames=FRAMES, plan="p"):
    lengths = {name: [len(one), 4096 * len(one), 22050] for name, one in frames.items()}
    return ShardFacts(
        plan, lengths, {"00000009": "lost"}, Moments.of(torch.cat([*frames.values()]))
    )


def test_moments_are_numpys_whatever_the_order_of_the_parts():
    generator = torch.Generator().manual_seed(0)
    frames = torch.randn(5000, 7, generator=generator) * 3 + 1000 * torch.arange(7)
    parts = [Moments.of(part) for part in frames.split(371)]
    merged = Moments.merged(parts)
    values = frames.numpy().astype(np.float64)
    assert merged.count == 5000
    # a sum of 5000 doubles, added pairwise, keeps 14 digits
    np.testing.assert_allclose(merged.mean, values.mean(0), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(merged.std, values.std(0), rtol=1e-11)
    random.Random(0).shuffle(parts)
    assert Moments.merged(parts) == merged
    assert Moments.merged([*parts, Moments.of(frames[:0])]) == merged


def test_moments_by_hand():
    merged = Moments.merged(
        [Moments.of(torch.tensor([[1.0]])), Moments.of(torch.tensor([[4.0], [7.0]]))]
    )
    assert (merged.count, merged.mean, merged.std) == (3, [4.0], [math.sqrt(6)])


def test_a_shard_comes_back_and_is_the_same_bytes(tmp_path):
    write_shard(tmp_path / "a", FRAMES, facts())
    write_shard(tmp_path / "b", dict(reversed(FRAMES.items())), facts())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    shard, found = open_shard(tmp_path / "a", "p")
    assert found == facts()
    assert found.seconds == pytest.approx(6 * 4096 / 22050)
    for name, frames in FRAMES.items():
        read = read_tensor(shard, tmp_path / "a", name, frames.shape)
        assert torch.equal(read, frames)
        read.zero_()  # one's own copy
        assert torch.equal(read_tensor(shard, tmp_path / "a", name, frames.shape), frames)


def test_anyone_can_read_it(tmp_path):
    """By safetensors' own layout: a length, a JSON header, a clip's frames row by row."""
    write_shard(tmp_path / "a", FRAMES, facts())
    content = (tmp_path / "a").read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    entry = json.loads(content[8 : 8 + length])["00000002"]
    begin, end = (8 + length + offset for offset in entry["data_offsets"])
    values = np.frombuffer(content[begin:end], "<f4").reshape(entry["shape"])
    assert np.array_equal(values, FRAMES["00000002"].numpy())


def test_a_shard_of_failures_alone(tmp_path):
    nothing = ShardFacts("p", {}, {"00000000": "lost"}, Moments.of(torch.zeros(0, 6)))
    write_shard(tmp_path / "a", {}, nothing)
    assert open_shard(tmp_path / "a", "p")[1] == nothing


def test_bad_shards_are_one_line_that_names_them(tmp_path):
    write_shard(tmp_path / "other", FRAMES, facts(plan="q"))
    write_shard(tmp_path / "cut", FRAMES, facts())
    (tmp_path / "cut").write_bytes((tmp_path / "cut").read_bytes()[:-10])
    (tmp_path / "text").write_text("no latents")
    save_file(FRAMES, tmp_path / "bare")
    save_file(FRAMES, tmp_path / "words", {"dcvae": '{"plan": "p"}'})
    for name, words in {
        "missing": "is not there",
        "other": "belongs to plan q",
        "cut": "damaged",
        "text": "no safetensors file",
        "bare": "no shard",
        "words": "no shard",
    }.items():
        with pytest.raises(ShardError, match=words) as told:
            open_shard(tmp_path / name, "p")
        assert str(tmp_path / name) in str(told.value)
        assert "\n" not in str(told.value)


def test_a_shard_that_does_not_fit_its_index(tmp_path):
    write_shard(tmp_path / "a", FRAMES, facts())
    shard, _ = open_shard(tmp_path / "a", "p")
    for name, shape in (("00000007", [1, 6]), ("00000001", [9, 6])):
        with pytest.raises(ShardError, match="does not fit its index") as told:
            read_tensor(shard, tmp_path / "a", name, shape)
        assert str(tmp_path / "a") in str(told.value)


def test_the_index_comes_back(tmp_path):
    row = {
        "id": "a/b.flac", "shard": "shard-00000.safetensors", "tensor": "00000000", "frames": 3,
        "samples": 9000, "sample_rate": 16000, "seconds": 0.5625, "text": "Grüße", "speaker": "",
        "language": "de", "split": "train",
    }  # fmt: skip
    table = index_table({name: [value] for name, value in row.items()})
    write_index(tmp_path / "index.parquet", [table, table])
    assert read_index(tmp_path / "index.parquet").to_pylist() == [row, row]
    (tmp_path / "text").write_text("none")
    for name, words in (("missing", "not there"), ("text", "damaged")):
        with pytest.raises(ShardError, match=words):
            read_index(tmp_path / name)


def test_bad_json_is_one_line(tmp_path):
    (tmp_path / "cut.json").write_text('{"a": ')
    (tmp_path / "list.json").write_text("[]")
    for name, words in (
        ("none.json", "not there"),
        ("cut.json", "damaged"),
        ("list.json", "object"),
    ):
        with pytest.raises(ShardError, match=words) as told:
            read_json(tmp_path / name)
        assert name in str(told.value)
