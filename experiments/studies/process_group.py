"""A command in a process group of its own, which a signal reaches whole."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Any


class ProcessGroup:
    """Runs one command after another; from any thread, or from a signal's handler, it can be ended.

    The commands write to a file and lead sessions of their own: they outlive whoever waits here.
    """

    def __init__(self, log: Path) -> None:
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None
        self.stopping = False

    def run(self, command: list[str], variables: dict[str, str]) -> int:
        """Start the command, wait, return its exit status: -N where signal N ended it."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                env=os.environ | variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if self.stopping:  # it came while the process was being made
            self.terminate()
        return self.process.wait()

    def terminate(self) -> None:
        """SIGTERM to the whole group, and no further command: `stopping` says so."""
        self.stopping = True
        if self.process is not None and self.process.returncode is None:
            try:
                os.killpg(self.process.pid, signal.SIGTERM)
            except ProcessLookupError:
                return

    def wait(self) -> None:
        """Until the process has ended; what is inside `run` may be interrupted for it.

        Popen.wait would stop for ever: in a signal's handler the lock is held by the wait below.
        """
        if self.process is not None and self.process.returncode is None:
            try:
                os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT)
            except ChildProcessError:
                return

    def __getstate__(self) -> dict[str, Any]:
        """A group that goes to another machine has no process yet."""
        return {"log": self.log, "process": None, "stopping": False}
