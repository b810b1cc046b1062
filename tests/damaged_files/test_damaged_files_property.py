"""What nobody thought of: values, cells and lines of any shape, and bytes changed anywhere.

DCVAE_EXAMPLES says how many of each are tried at each kind of file, others in every run.
"""

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EXAMPLES = os.environ.get("DCVAE_EXAMPLES")
SHORT = settings(
    max_examples=int(EXAMPLES or 20),
    deadline=None,
    derandomize=EXAMPLES is None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
TEXTS = st.text(st.characters(), max_size=5)  # surrogates too
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | TEXTS
    | st.sampled_from([10**400, -(10**400), 2**63, 5e-324])
    | st.sampled_from(["tiny", "baseline", "2025-01-31", "reconstruction/stoi", "../x", "/"])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
ODD_CELLS = [
    "", "nan", "inf", "-inf", "1e999", "-1", "0", "1.5", "9" * 400, "1_0", "0x1", "\u0661",
    "\0", '"', "\r", "\n", ",", "=1+1", "../x", "/", "True", "None", "a", "x" * 140_000,
]  # fmt: skip
CELLS = TEXTS | st.sampled_from(ODD_CELLS)
ENCODINGS = st.sampled_from(["utf-8"] * 5 + ["utf-8-sig", "utf-16", "utf-16-le", "latin-1"])


def read(kind: Any, path: Path, content: bytes) -> None:
    """Refused with the name of the file or its run's folder, or read; all else passes."""
    good = path.read_bytes()
    path.write_bytes(content)
    try:
        for reader in kind.readers:
            try:
                reader(path)
            except (ValueError, OSError) as error:
                where = path.parents[path.parent.name == "analysis"]
                refusal = str(error)
                if str(path) not in refusal and str(where) not in refusal:
                    raise AssertionError(f"it does not name {path}") from error
    finally:
        path.write_bytes(good)


def spots(value: Any) -> list[tuple[Any, Any]]:
    """Every object or list with a key of its own, however deep."""
    inner = list(value.items() if isinstance(value, dict) else enumerate(value))
    found = [(value, key) for key, _ in inner]
    for _, one in inner:
        found += spots(one) if isinstance(one, dict | list) else []
    return found


@SHORT
@given(data=st.data())
def test_values_of_any_shape_in_an_object(root, kind, data):
    path = root / kind.path
    if path.suffix != ".json":
        pytest.skip("it has no entries")
    said = json.loads(path.read_text())
    for _ in range(data.draw(st.integers(1, 3))):
        holder, key = data.draw(st.sampled_from(spots(said) or [({}, "x")]))
        holder[key] = data.draw(VALUES)
    read(kind, path, json.dumps(said).encode())


@SHORT
@given(data=st.data())
def test_cells_of_any_text_in_a_table(root, kind, data):
    path = root / kind.path
    if path.suffix != ".csv":
        pytest.skip("it has no cells")
    rows = list(csv.reader(path.read_text().splitlines()))
    for _ in range(data.draw(st.integers(1, 4))):
        row = data.draw(st.sampled_from(rows))
        row[data.draw(st.integers(0, len(row) - 1))] = data.draw(CELLS)
    text = io.StringIO()
    csv.writer(text, quoting=data.draw(st.sampled_from([0, 1]))).writerows(rows)
    read(kind, path, text.getvalue().encode(data.draw(ENCODINGS), "replace"))


@SHORT
@given(data=st.data())
def test_lines_of_any_values(root, kind, data):
    path = root / kind.path
    if path.suffix != ".jsonl":
        pytest.skip("it has no lines")
    names = st.sampled_from(["step", "time", "train/reconstruction"]) | TEXTS
    rows = data.draw(st.lists(st.dictionaries(names, LEAVES) | VALUES, max_size=4))
    read(kind, path, path.read_bytes() + "\n".join(map(json.dumps, rows)).encode() + b"\n")


@SHORT
@given(data=st.data())
def test_bytes_changed_anywhere(root, kind, data):
    path = root / kind.path
    good = path.read_bytes()
    begin = data.draw(st.integers(0, min(len(good), 4096)) | st.integers(0, len(good)))
    end = data.draw(st.integers(begin, min(begin + 9, len(good))) | st.just(len(good)))
    read(kind, path, good[:begin] + data.draw(st.binary(max_size=9)) + good[end:])
