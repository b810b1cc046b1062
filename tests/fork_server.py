"""Runs commands of this environment as forks of one process that has imported what is slow.

Each line of standard input is a request in JSON: "argv" (a script or "-m", a module, then its
arguments), "cwd", "env", "stdout" and "stderr" (paths). The answer is a line with the exit status.
A command behaves as one started anew, but for its imports, which take ten seconds on a slow core.
"""

import importlib
import json
import os
import runpy
import sys
import threading
from typing import Any


def serve() -> dict[str, Any]:
    """Answer requests until there are none; in a fork, return the request that is its to run."""
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            return request
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
    os._exit(0)


def run(request: dict[str, Any]) -> None:
    """Become that command."""
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    for number, path in ((0, os.devnull), (1, request["stdout"]), (2, request["stderr"])):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), number)
    first, *rest = request["argv"]
    if first == "-m":
        module, *rest = rest
        sys.argv = [module, *rest]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    else:
        sys.argv = [first, *rest]
        runpy.run_path(first, run_name="__main__")


if __name__ == "__main__":
    for module in ("analysis.cli", "experiments.run", "reports.build"):
        importlib.import_module(module)
    assert threading.active_count() == 1, "a fork has one thread alone"
    run(serve())
