"""A request to stop, from a user, a study or a cluster: save, and be started again."""

import signal
from types import FrameType
from typing import Self

EXIT_STATUS = 75  # EX_TEMPFAIL of sysexits.h: the same command again goes on
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)  # of a study or a user, and of SLURM before its limit


class Interrupted(Exception):
    """Training that stopped when asked to, with its state saved."""


class PreemptionHandler:
    """Inside the block a signal no longer ends the process, but raises `asked`."""

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> Self:
        self.before = {number: signal.signal(number, self.note) for number in SIGNALS}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def note(self, number: int, frame: FrameType | None) -> None:
        self.asked = True


def leave_signals_alone(worker: int) -> None:
    """Let a worker outlive what asks its whole process group to stop: its owner saves first.

    Ctrl-C too: it is the owner who says so, in one line.
    """
    for number in (*SIGNALS, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
