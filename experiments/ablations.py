"""The registry of ablations: what a name or a list of names stands for, and what it claims.

A file of the registry changes values of the baseline. A file that only lists others, in Hydra's
defaults list, is the name of their composition. Compositions are sets: order and repetition do not
matter, and the baseline is the empty one. Pure: config.py reads the files.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import combinations
from typing import Any

from dcvae.claims import BASELINE, Claim, read_claims
from dcvae.system_names import PART
from experiments.record import flatten

Wanted = str | Sequence[str]  # "no_noise", "a+b", "[a, b]" or ["a", "b"]


@dataclass(frozen=True)
class Registry:
    """The files of conf/ablation, by name."""

    files: Mapping[str, Mapping[str, Any]]

    def name(self, wanted: Wanted) -> str:
        """The one name of a composition: a file's where there is one, else its parts', sorted.

        ValueError, in one line, for an unknown part and for two that contradict each other.
        """
        parts = self.parts(wanted)
        if not parts:
            return BASELINE
        for name in self.files:
            if parts == self.expand(name):
                return name
        self.check_conflicts(parts)
        return PART.join(parts)

    def parts(self, wanted: Wanted) -> tuple[str, ...]:
        """The single ablations that `wanted` is made of, sorted; none for the baseline."""
        return tuple(sorted({part for name in split(wanted) for part in self.expand(name)}))

    def expand(self, name: str) -> tuple[str, ...]:
        """The single ablations of one file, sorted."""
        file = self.files.get(name)
        if file is None:
            known = sorted(self.files)
            near = get_close_matches(name, known, 3)
            hint = f"did you mean {' or '.join(near)}?" if near else f"choose from {known}"
            raise ValueError(f"there is no ablation {name!r}: {hint}")
        if name == BASELINE:
            return ()
        if "defaults" not in file or file.keys() - {"defaults", "claims"}:
            return (name,)
        return self.parts(listed(file))

    def changes(self, name: str) -> dict[str, Any]:
        """What one file changes, {"model.noise": "none"}, with what it takes from others."""
        file = self.files[name]
        found: dict[str, Any] = {}
        for other in listed(file):
            found |= self.changes(other)
        own = {key: value for key, value in file.items() if key not in ("defaults", "claims")}
        return found | flatten(own)

    def check_conflicts(self, parts: Sequence[str]) -> None:
        """ValueError that names the key which two parts set to unlike values."""
        for one, other in combinations(parts, 2):
            if key := contradiction(self.changes(one), self.changes(other)):
                raise ValueError(
                    f"{one} and {other} contradict each other about {key}: they are no composition"
                )

    def claims(self, name: str) -> list[Claim]:
        """What a file claims; a composition without a file has no claims of its own."""
        return read_claims(name, self.files.get(name, {}).get("claims", []))


def split(wanted: Wanted) -> list[str]:
    """The names in "a+b", "[a, b]" or ["a", "b+c"]."""
    if isinstance(wanted, str):
        text = wanted.strip()
        if text.startswith("[") and text.endswith("]"):
            wanted = text[1:-1].split(",") if text[1:-1].strip() else []
        else:
            wanted = [text]
    return [part.strip().strip("'\"") for one in wanted for part in str(one).split(PART)]


def listed(file: Mapping[str, Any]) -> list[str]:
    """The other files of a defaults list."""
    return [str(name) for name in file.get("defaults") or () if name != "_self_"]


def contradiction(one: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    """A key with two values, or one that is taken away by one side and changed by the other."""
    for key, value in one.items():
        for key_there, value_there in other.items():
            if key == key_there and value != value_there:
                return key
            if key.startswith(f"{key_there}.") or key_there.startswith(f"{key}."):
                return min(key, key_there, key=len)
    return None


def compositions(factors: Iterable[str]) -> list[tuple[str, ...]]:
    """Every subset, the empty one first: the cells of a full factorial design."""
    given = tuple(factors)
    return [cell for count in range(len(given) + 1) for cell in combinations(given, count)]
