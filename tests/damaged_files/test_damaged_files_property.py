"""What nobody thought of: JSON of any shape, and bytes changed anywhere, at every reader."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EXAMPLES = os.environ.get("DCVAE_EXAMPLES")  # of each kind of file, others in every run
SHORT = settings(
    max_examples=int(EXAMPLES or 30),
    deadline=None,
    derandomize=EXAMPLES is None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["tiny", "baseline", "2025-01-31", "reconstruction/stoi", "../x", "/"])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


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
def test_bytes_changed_anywhere(root, kind, data):
    path = root / kind.path
    good = path.read_bytes()
    begin = data.draw(st.integers(0, min(len(good), 4096)))
    end = data.draw(st.integers(begin, min(begin + 9, len(good))))
    read(kind, path, good[:begin] + data.draw(st.binary(max_size=9)) + good[end:])
