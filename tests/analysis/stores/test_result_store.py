"""Rows on disk as they come: what survives an interruption, and what must not."""

import math
from pathlib import Path

import pytest

from analysis.outputs.table import Row
from analysis.stores.result_store import ResultStore

KEY = {"checkpoint_sha256": "a", "version": "1", "clips": ["x", "y"]}
FIRST = [Row("x", "reconstruction", "stoi", 0.1 + 0.2), Row("x", "ceiling", "stoi", 1.0)]
SECOND = [Row("y", "reconstruction", "stoi", math.nan, "the output is silent")]


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    part = ResultStore(tmp_path, "quality", KEY)
    assert part.resume() == []
    part.append(FIRST)
    part.append(SECOND)
    again = ResultStore(tmp_path, "quality", KEY)
    rows = again.resume()
    assert rows[:2] == FIRST
    assert math.isnan(rows[2].value)
    assert rows[2].reason == "the output is silent"
    again.finish(rows, {"seconds": 1.5})
    assert again.is_finished()
    assert again.rows()[:2] == FIRST
    assert again.facts() == {"seconds": 1.5}
    assert [path.name for path in tmp_path.iterdir()] == ["quality.json"]


@pytest.mark.parametrize("cut", [2, 10, 40])
def test_a_line_cut_short_loses_its_own_batch_alone(tmp_path: Path, cut: int) -> None:
    part = ResultStore(tmp_path, "quality", KEY)
    part.resume()
    part.append(FIRST)
    part.append(SECOND)
    text = part.growing.read_text()
    part.growing.write_text(text[:-cut])
    assert part.resume() == FIRST
    part.append(SECOND)
    assert len(part.resume()) == 3


def test_rows_of_the_whole_set_are_measured_again(tmp_path: Path) -> None:
    """Left where the clips' rows were complete and their final file could not be written."""
    part = ResultStore(tmp_path, "latent_noise", KEY)
    part.resume()
    whole = [Row("", "latent_noise", "noise_scale", 2.0)]
    part.append([*FIRST, *whole])
    part.append(whole)
    assert part.resume() == FIRST
    part.append(whole)
    assert part.resume() == FIRST  # of the file too


@pytest.mark.parametrize(
    "changed", [{"checkpoint_sha256": "b"}, {"version": "2"}, {"clips": ["x"]}]
)
def test_rows_of_another_key_are_not_taken(tmp_path: Path, changed: dict[str, object]) -> None:
    part = ResultStore(tmp_path, "quality", KEY)
    part.resume()
    part.append(FIRST)
    other = ResultStore(tmp_path, "quality", {**KEY, **changed})
    assert other.resume() == []
    other.finish(FIRST, {})
    assert other.is_finished()
    assert not part.is_finished()


def test_a_damaged_part_counts_as_none(tmp_path: Path) -> None:
    part = ResultStore(tmp_path, "quality", KEY)
    part.finish(FIRST, {})
    part.finished.write_text(part.finished.read_text()[:50])
    assert not part.is_finished()
    part.growing.write_bytes(b"\xff\xfe")
    assert part.resume() == []
