"""Short names of systems that lack several parts: a letter a part, each in its place."""

from collections.abc import Sequence
from itertools import chain
from string import ascii_letters

from dcvae.system_names import parts_of, split_name, system_name

IN_PLACE = "\N{MIDDLE DOT}"
MOST = 12  # parts: more letters are no shorter than names


def letters_of(systems: Sequence[str]) -> dict[str, str]:
    """A letter for each part that is taken away with another one; {} where none is, or too many."""
    together = [parts for parts in map(parts_of, systems) if len(parts) > 1]
    found: dict[str, str] = {}
    for part in dict.fromkeys(chain.from_iterable(together)):
        asked = filter(str.isalpha, part.removeprefix("no_").upper() + ascii_letters.swapcase())
        found[part] = next(letter for letter in asked if letter not in found.values())
        if len(found) > MOST:
            return {}
    return found


def short_names(systems: Sequence[str]) -> dict[str, str]:
    """What each system is called where there is little room.

    Of those that lack parts with letters these, a dot for each part in place; what lacks one part
    alone has its name behind, by which the letters are read. Others keep their names.
    """
    letters = letters_of(systems)
    return {system: short_name(system, letters) for system in systems}


def short_name(system: str, letters: dict[str, str]) -> str:
    parts = parts_of(system)
    if not set(parts) <= set(letters):
        return system
    taken = "".join(letter if part in parts else IN_PLACE for part, letter in letters.items())
    name, budget = split_name(system)
    return system_name(taken + (f" {name}" if len(parts) == 1 else ""), budget)


def told(letters: dict[str, str]) -> str:
    """A sentence that says what the letters mean."""
    listed = ", ".join(f"{letter} {part}" for part, letter in letters.items())
    return f"A letter is a part that was taken away ({listed}), a dot one in place."
