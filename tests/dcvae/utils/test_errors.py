"""How a command ends: one line, and the status that says why."""

import pytest

from dcvae.utils.errors import user_errors


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (ValueError("a.wav is\n  empty"), 2, "command: a.wav is empty\n"),
        (OSError("no space"), 2, "command: no space\n"),
        (ValueError(), 2, "command: ValueError\n"),
        (LookupError("of a library"), 2, "command: of a library\n"),
        (KeyboardInterrupt(), 130, "command: interrupted\n"),
    ],
)
def test_an_end_is_one_line_and_a_status(error, status, told, capsys):
    with pytest.raises(SystemExit) as end, user_errors("command", LookupError):
        raise error
    assert (end.value.code, capsys.readouterr().err) == (status, told)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_traceback_can_be_had(error, monkeypatch):
    monkeypatch.setenv("DCVAE_DEBUG", "1")
    with pytest.raises(error), user_errors("command"):
        raise error


def test_a_fault_of_ours_passes():
    with pytest.raises(AssertionError), user_errors("command"):
        raise AssertionError
