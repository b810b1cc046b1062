"""Damaged files of every kind at every reader: refused in a line that names them, or read right.

A file can be cut by a full disk, edited by hand, sent by a stranger, or of a later version. Where
its reader refuses it, so does the command that reads it, in one line and with exit status 2.
"""

import copy
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

Damage = Callable[[bytes], bytes]
PAGES = 41  # of so many damaged entries one is tried on a page, which takes longer


def flip(content: bytes) -> bytes:
    """One bit of a byte among the first, where every format has its structure."""
    at = min(9, len(content) - 1)
    return content[:at] + bytes([content[at] ^ 0x80]) + content[at + 1 :]


ALWAYS: dict[str, bytes | Damage] = {  # no reader can make sense of
    "empty": b"",
    "white": b"  \n \n",
    "a list": b"[1, 2]",
    "a list of objects": b'[{"a": 1}]',
    "a number": b"7",
    "null": b"null",
    "text": b'"run"',
    "words": b"What is this?\n",
    "an empty object": b"{}",
    "nested deep": b"[" * 100_000,
    "nested deep and closed": b"[" * 100_000 + b"]" * 100_000,
    "objects nested deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "zeros": bytes(512),
    "zeros of its length": lambda good: bytes(len(good)),
    "UTF-16": lambda good: good.decode("latin-1").encode("utf-16"),
    "not UTF-8": b'{"ablation": "\xff\xfe"}',
    "an endless number": b'{"seed": ' + b"9" * 5000 + b"}",
    "HTML": b"<!DOCTYPE html><html><body>404</body></html>",
    "a pickle": b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x01a\x94.",
    "a zip": b"PK\x03\x04\x14\x00\x00\x00\x08\x00" + bytes(40),
}
SOMETIMES: dict[str, Damage] = {  # some readers can
    "cut in half": lambda good: good[: len(good) // 2],
    "cut at its end": lambda good: good[:-9],
    "its first half missing": lambda good: good[len(good) // 2 :],
    "a bit flipped": flip,
    "a zero in it": lambda good: good[:40] + b"\0" + good[41:],
    "twice": lambda good: good + good,
    "more after it": lambda good: good + b'\n"',
    "a mark before it": lambda good: b"\xef\xbb\xbf" + good,
}
VALUES: dict[str, str] = {  # in the place of every entry, as JSON
    "null": "null",
    "true": "true",
    "text": '"x"',
    "empty text": '""',
    "a surrogate": '"\\ud800"',
    "a zero": '"\\u0000"',
    "a fraction": "1.5",
    "below zero": "-1",
    "beyond floats": "1e400",
    "beyond 64 bits": str(2**80),
    "beyond floats, whole": "1" + "0" * 400,
    "an empty object in a list": "[{}]",
    "NaN": "NaN",
    "a list": "[]",
    "a list of lists": "[[1]]",
    "an object": "{}",
    "an object in it": '{"x": {"y": []}}',
}
DELETED = None
PLACES: dict[str, Callable[[Path], None]] = {  # what else can lie in a file's place
    "a folder": lambda path: path.mkdir(),
    "a dangling link": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "no permission": lambda path: (path.touch(), path.chmod(0))[0],
}


@contextmanager
def damaged(path: Path, put: Callable[[Path], Any]) -> Iterator[None]:
    """Another thing in the file's place, for a while."""
    good = path.read_bytes()
    path.unlink()
    try:
        put(path)
        yield
    finally:
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)
        path.write_bytes(good)


def outcome(reader: Callable[[Path], Any], path: Path) -> Any:
    """What a reader gives, or its error, which names the file or its run; others pass."""
    try:
        return reader(path)
    except (ValueError, OSError) as error:
        refusal = error
    where = path.parents[path.parent.name == "analysis"]
    assert str(path) in str(refusal) or str(where) in str(refusal), repr(refusal)
    return refusal


def check_command(kind: Any, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a reader refused, the command refuses in one line."""
    if kind.command is None:
        return
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        kind.command(path)
    said = capsys.readouterr().err
    assert stopped.value.code == 2, said
    assert said.count("\n") == 1, said
    assert path.name in said or path.parent.name in said, said


@pytest.mark.parametrize("name", [*ALWAYS, *PLACES])
def test_what_is_no_such_file_is_refused_in_a_line(root, kind, good, name, capsys):
    if name == "no permission" and os.geteuid() == 0:
        pytest.skip("root may read all")
    path = root / kind.path
    damage = ALWAYS.get(name, b"")
    content = damage if isinstance(damage, bytes) else damage(path.read_bytes())
    with damaged(path, PLACES.get(name, lambda at: at.write_bytes(content))):
        for reader, whole in zip(kind.readers, good, strict=True):
            got = outcome(reader, path)
            if name in kind.fits:
                continue
            if isinstance(got, Exception):
                check_command(kind, path, capsys)
            else:
                assert kind.by_line, "it is read as if it were good"
                assert all(one in whole for one in got)


@pytest.mark.parametrize("name", SOMETIMES)
def test_what_is_damaged_in_part_is_refused_or_read_as_far_as_it_is_good(
    root, kind, good, name, capsys
):
    path = root / kind.path
    content = SOMETIMES[name](path.read_bytes())
    with damaged(path, lambda at: at.write_bytes(content)):
        for reader, whole in zip(kind.readers, good, strict=True):
            got = outcome(reader, path)
            if isinstance(got, Exception):
                check_command(kind, path, capsys)
            elif kind.by_line:
                assert len(got) <= 2 * len(whole)
            else:
                assert got == whole


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the entries of an object are, within each other; the first of every list."""
    inner: Any = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        inner = enumerate(value[:1])
    for name, one in inner:
        yield (*place, name)
        yield from places(one, (*place, name))


def changed(value: Any, place: tuple[Any, ...], text: str | None) -> bytes:
    """The object as JSON with another text at a place, or nothing there."""
    value = copy.deepcopy(value)
    inner = value
    for name in place[:-1]:
        inner = inner[name]
    if text is DELETED:
        del inner[place[-1]]
        return json.dumps(value).encode()
    inner[place[-1]] = "@"
    return json.dumps(value).replace('"@"', text).encode()


def test_an_entry_of_another_type_is_refused_in_a_line_or_does_not_matter(root, kind):
    path = root / kind.path
    if path.suffix != ".json":
        pytest.skip("it has no entries")
    said = json.loads(path.read_text())
    cases = [(at, text) for at in places(said) for text in (DELETED, *VALUES.values())]
    for at, text in cases[:: PAGES if kind.is_page else 1]:
        content = changed(said, at, text)
        with damaged(path, lambda here, content=content: here.write_bytes(content)):
            for reader in kind.readers:
                try:
                    outcome(reader, path)
                except Exception as error:
                    raise AssertionError(f"{path.name} with {text} at {at}") from error
