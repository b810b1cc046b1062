"""Runs commands of this environment as forks of one process that has imported what is slow.

    python fork_server.py SOCKET             the server
    python fork_server.py SOCKET ARGUMENT... a command: a script or "-m", a module, its arguments

A command sends its arguments, folder, environment and open standard files, and ends with the status
of the fork. It behaves as one started anew, but for its imports, which take ten seconds on a slow
core.
"""

import json
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

STANDARD = (0, 1, 2)  # input, output, errors
IMPORTED = (  # ours, and what they import when they use it
    "analysis.cli", "experiments.run", "reports.build", "experiments.training.builder",
    "fontTools.subset", "matplotlib.figure", "mlflow.pyfunc",
    "mlflow.store.tracking.sqlalchemy_store", "scipy.stats", "seaborn", "sklearn.linear_model",
    "sklearn.manifold", "sqlalchemy.dialects.sqlite", "torch._dynamo",
)  # fmt: skip


def call(path: str, argv: list[str], cwd: str, env: dict[str, str], files: tuple[int, ...]) -> int:
    """Ask the server at `path` for a command with these standard files; its exit status."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(path)
        socket.send_fds(server, [b"f"], list(files))
        server.sendall(json.dumps({"argv": argv, "cwd": cwd, "env": env}).encode())
        server.shutdown(socket.SHUT_WR)
        return int(server.recv(16))


def serve(path: str) -> tuple[dict[str, Any], list[int]]:
    """Answer for ever, several at once; in a fork, return the request that is its to run, and its
    files.
    """
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{path}.part")
        listening.listen()
        Path(f"{path}.part").rename(path)  # whoever sees it can connect
        answering: list[int] = []
        while True:
            client, _ = listening.accept()
            _, files, _, _ = socket.recv_fds(client, 1, len(STANDARD))
            request = json.load(client.makefile())
            pid = os.fork()
            if pid == 0:
                fork_for(client, files)
                return request, files
            answering.append(pid)
            answering = [one for one in answering if os.waitpid(one, os.WNOHANG) == (0, 0)]
            client.close()
            for file in files:
                os.close(file)


def fork_for(client: socket.socket, files: list[int]) -> None:
    """Fork once more, and return in the fork alone: the parent tells the client how it ended."""
    pid = os.fork()
    if pid == 0:
        client.close()
        return
    for file in files:
        os.close(file)
    _, status = os.waitpid(pid, 0)
    client.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def run(request: dict[str, Any], files: list[int]) -> None:
    """Become that command, and end with its status."""
    import atexit
    import runpy
    import threading
    import traceback

    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    for number, file in zip(STANDARD, files, strict=True):
        os.dup2(file, number)
        os.close(file)
    first, *rest = request["argv"]
    status: Any = 0
    try:
        if first == "-m":
            module, *rest = rest
            sys.argv = [module, *rest]
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        else:
            sys.argv = [first, *rest]
            sys.path.insert(0, str(Path(first).parent))
            runpy.run_path(first, run_name="__main__")
    except SystemExit as end:
        status = end.code
    except BaseException:
        traceback.print_exc()
        status = 1
    if isinstance(status, str):
        print(status, file=sys.stderr)
    # end as the interpreter does, but leave the libraries standing: pulling them down takes seconds
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else int(bool(status)))


def main(path: str, *argv: str) -> None:
    if argv:
        sys.exit(call(path, list(argv), os.getcwd(), dict(os.environ), STANDARD))
    import importlib
    import threading

    for module in IMPORTED:
        importlib.import_module(module)
    with suppress(ImportError, OSError, RuntimeError):  # where FFmpeg's libraries are missing
        importlib.import_module("torchcodec.decoders")
    assert threading.active_count() == 1, "a fork has one thread alone"
    run(*serve(path))


if __name__ == "__main__":
    main(*sys.argv[1:])
