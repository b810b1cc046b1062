"""Whether the entries of a JSON object are of the types that its writer gives them.

A file can be anyone's, edited by hand, or of a later version: what walks through it should not
have to ask at every step.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

NUMBER, WHOLE, TEXT, MAPPING, LIST = (int, float), (int,), (str,), (dict,), (list,)
SWITCH = (bool,)
LARGEST = 2**63  # no whole number that is written comes near it, and beyond 2^1024 is no float
Types = Mapping[str, tuple[type, ...]]  # "runs", then "runs[]" of each in it, "runs[].seed"
EACH = "[]"
WORDS = {
    dict: "mapping", list: "list", str: "text", int: "whole number", bool: "switch",
}  # fmt: skip


def check_entries(record: Mapping[str, Any], types: Types) -> None:
    """ValueError that names the entry of another type; one that is None or absent is unknown.

    What holds an entry stands before it in `types`.
    """
    for name, allowed in types.items():
        for value in entries(record, name.split(".")):
            if not is_one_of(value, allowed):
                word = "finite number" if allowed == NUMBER else WORDS[allowed[0]]
                raise ValueError(f"its {name} is {shortened(value)}, no {word}")


def is_one_of(value: object, allowed: tuple[type, ...]) -> bool:
    """A switch is no number, and what is not finite or has more than 64 bits is none either."""
    if isinstance(value, bool):
        return allowed == SWITCH
    if isinstance(value, float) and not math.isfinite(value):
        return False
    if isinstance(value, int) and abs(value) >= LARGEST:
        return False
    return isinstance(value, allowed)


def entries(record: Any, names: list[str]) -> Iterator[Any]:
    """The values at a place, several where there is a list on the way to it."""
    first, *rest = names
    inner = first.removesuffix(EACH)
    value = (record or {}).get(inner)
    if value is None:
        return
    for one in value if first.endswith(EACH) else [value]:
        if rest:
            yield from entries(one, rest)
        else:
            yield one


def require_entries(record: Mapping[str, Any], *names: str) -> None:
    """ValueError for an entry that is missing."""
    for name in names:
        if record.get(name) is None:
            raise ValueError(f"it has no {name!r}")


def shortened(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 50 else f"{shown[:50]}..."
