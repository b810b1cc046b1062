"""MLflow's pages in a browser: the addresses of the studies' views, and a server for them."""

import os
import sys
from typing import NoReturn

from dcvae.runs import RunError
from experiments.tracking.address import Store
from experiments.tracking.mlflow_client import first_line, open_store, read_patience
from experiments.tracking.mlflow_view import save_views

HOST = "127.0.0.1"


def show(store: Store, port: int) -> None:
    """Print each study's address, and serve the store on the loopback address until interrupted.

    A server has its pages itself: RunError where that fails. Of a database, MLflow's own pages
    open all the same.
    """
    is_server = store.uri.startswith("http")
    root = store.address.rstrip("/") if is_server else f"http://{HOST}:{port}"
    try:
        views = save_views(open_store(store.uri, read_patience()))
    except Exception as error:  # whatever a store or a server can raise
        reason = f"{store.address} has no views: {first_line(error, store.uri)}"
        if is_server:
            raise RunError(reason) from error
        print(f"tracking: {reason}", file=sys.stderr)
        views = []
    lines = [f"{name}: {root}/{place}" for name, place in views]
    print("\n".join(lines) or f"{store.address} holds no study yet: {root}/", flush=True)
    if not is_server:
        serve(store.uri, port)


def serve(uri: str, port: int) -> NoReturn:
    """Become MLflow's own server. Its store is no argument: an address may hold a password."""
    command = [sys.executable, "-m", "mlflow", "ui", "--host", HOST, "--port", str(port)]
    command += ["--workers", "1"]  # for one user, of MLflow's four
    settings = {"MLFLOW_BACKEND_STORE_URI": uri, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    os.execve(sys.executable, command, os.environ | settings)
