"""Reader of CTranslate2's published model layout: a flat little-endian file of named arrays.

Version, name and revision of the model's specification, and the number of variables; then for
each its name, rank, dimensions, type, size in bytes and values; then aliases, pairs of names of
variables that are the same. Names are preceded by their length and end with a zero byte.
Source: CTranslate2's `ModelSpec.save` (github.com/OpenNMT/CTranslate2).
"""

import math
import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

VERSION = 6  # of the layout; others were never seen and are refused
TYPES = {0: "<f4", 1: "|i1", 2: "<i2", 3: "<i4", 4: "<f2"}  # 5, bfloat16, is none of numpy's


class Contents(NamedTuple):
    """What such a file holds: a specification's name, and arrays by their names."""

    specification: str
    variables: dict[str, Array]


class DamagedError(ValueError):
    """The bytes are no such file; the message says in a few words why."""


class Cursor:
    """Takes values from bytes, one after another."""

    def __init__(self, data: bytes) -> None:
        self.data = memoryview(data)
        self.position = 0

    @property
    def left(self) -> int:
        return len(self.data) - self.position

    def take(self, size: int) -> memoryview:
        """The next `size` bytes."""
        if size > self.left:
            raise DamagedError(f"it ends {size - self.left} bytes too early")
        self.position += size
        return self.data[self.position - size : self.position]

    def number(self, form: str) -> int:
        """An unsigned number: B has 8 bits, H 16 and I 32."""
        value: int = struct.unpack(f"<{form}", self.take(struct.calcsize(f"<{form}")))[0]
        return value

    def name(self) -> str:
        """A name behind its length, which counts the zero byte at its end."""
        raw = bytes(self.take(self.number("H")))
        if not raw.endswith(b"\0") or not raw[:-1].isascii():
            raise DamagedError("a name in it is unreadable")
        return raw[:-1].decode("ascii")

    def variable(self, name: str) -> Array:
        """An array of rank 0 or more."""
        shape = [self.number("I") for _ in range(self.number("B"))]
        kind, size = self.number("B"), self.number("I")
        if kind not in TYPES:
            raise DamagedError(f"{name} has values of an unknown type ({kind})")
        values = np.frombuffer(self.take(size), TYPES[kind]) if size else np.empty(0, TYPES[kind])
        if size != math.prod(shape) * values.itemsize:
            raise DamagedError(f"{name} has {size} bytes, which are not {shape}")
        return values.reshape(shape)


def read_ctranslate2(*parts: Path) -> Contents:
    """All arrays of a file, which may lie in several parts, as views of its bytes.

    ValueError names the first part and what is wrong.
    """
    try:
        return parse(Cursor(b"".join(part.read_bytes() for part in parts)))
    except DamagedError as error:
        raise ValueError(f"{parts[0]} is no CTranslate2 model, or damaged: {error}") from error


def parse(cursor: Cursor) -> Contents:
    """The arrays, with a name more for each alias."""
    version = cursor.number("I")
    if version != VERSION:
        raise DamagedError(f"its layout has version {version}, not {VERSION}")
    specification = cursor.name()
    cursor.number("I")  # the specification's revision
    variables = {}
    for _ in range(cursor.number("I")):
        name = cursor.name()
        variables[name] = cursor.variable(name)
    for _ in range(cursor.number("I")):
        alias, name = cursor.name(), cursor.name()
        if name not in variables:
            raise DamagedError(f"{alias} stands for {name}, which it does not hold")
        variables[alias] = variables[name]
    if cursor.left:
        raise DamagedError(f"{cursor.left} bytes follow its end")
    return Contents(specification, variables)
