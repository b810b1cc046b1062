"""Real speech for every test that needs some (short clips with their licence in tests/data), a
server of MLflow, a browser, and a stand-in for apt-get.
"""

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from dcvae import read_audio
from dcvae.data.manifest import Clip, read_manifest
from dcvae.data.provenance import Corpus
from dcvae.runs import write_record
from experiments.record import now

DATA = Path(__file__).parent / "data"
APT = """#!/bin/sh
# A stand-in for apt-get: `--print-uris download NAME...` and `download NAME` from $REPOSITORY.
echo "$*" >> "$REPOSITORY/log"
while [ "${1#-}" != "$1" ] && [ "$1" != --print-uris ]; do shift; done
case "$1" in
update) [ -e "$REPOSITORY/offline" ] && echo "W: Failed to fetch http://mirror.example" >&2 ;;
--print-uris)
    shift 2
    for name; do cat "$REPOSITORY/$name.uri" ||
        echo "E: Unable to locate package $name" >&2; done ;;
download)
    [ -e "$REPOSITORY/offline" ] && {
        echo "E: Failed to fetch http://mirror.example/x.deb  Could not resolve" >&2; exit 100; }
    [ -e "$REPOSITORY/cut" ] && {
        head -c 700 "$REPOSITORY/$2_1_all.deb" > "$2_1_all.deb"; kill -9 $$; }
    [ -e "$REPOSITORY/slow" ] && {
        head -c 9000 "$REPOSITORY/$2_1_all.deb" > "$2_1_all.deb"; sleep 0.5; }
    cp "$REPOSITORY/$2_1_all.deb" . ;;
esac
"""
SLOWEST = ("test_chaos.py", "test_docs.py", "test_smoke.py", "test_ranking.py")
SLOW = (  # files or folders, of which some test takes more than two seconds
    *SLOWEST, "test_ablations.py", "test_mlflow_", "analysis/asr", "analysis/evaluators",
    "analysis/latent_lm", "analysis/metrics", "analysis/outputs", "analysis/statistics",
    "analysis/evaluators/test_codec_system.py", "analysis/systems", "analysis/test_",
    "dcvae/data/test_parquet.py", "dcvae/inference", "dcvae/models", "dcvae/test_cli.py",
    "dcvae/test_latents.py", "dcvae/vocoders", "experiments/benchmark", "experiments/studies",
    "experiments/test_check_gpu.py", "experiments/test_study.py", "experiments/tracking",
    "experiments/training", "reports/test_b", "reports/test_figures",
    "reports/test_paper_tables.py",
)  # fmt: skip
PATIENCE = 180  # seconds for a server to answer, on a machine that has much else to do


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take minutes: two processes then end at about the same time.

    Those of SLOW, which train, score, start servers or browsers, are marked.
    """
    items.sort(key=lambda item: item.path.name not in SLOWEST)
    for item in items:
        place = item.path.relative_to(Path(__file__).parent).as_posix()
        if place.startswith(SLOW):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def clips() -> list[Clip]:
    return read_manifest(DATA / "manifest.csv")


@pytest.fixture(scope="session")
def speech(clips: list[Clip]) -> Tensor:
    """Waves [4, T] of four clips, T a whole number of 64 frames."""
    waves = [read_audio(clip.path, stop=64 * 256 / 22050) for clip in clips[:4]]
    return torch.stack([torch.nn.functional.pad(w, (0, 64 * 256 - len(w))) for w in waves])


class Commands:
    """Commands of this environment as forks of one process: see fork_server.py.

    `environment` is the server's: PYTHONPATH there says whose modules the commands run.
    """

    def __init__(self, folder: Path, **environment: str) -> None:
        address = str(folder / "commands.sock")
        self.client = [
            sys.executable,
            "-SE",
            str(Path(__file__).parent / "fork_server.py"),
            address,
        ]
        self.server = subprocess.Popen(
            [sys.executable, "-P", *self.client[2:]],
            env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"} | environment,
        )
        deadline = time.monotonic() + PATIENCE
        while not Path(address).exists():
            assert self.server.poll() is None, "the fork server ended"
            assert time.monotonic() < deadline, "the fork server does not answer"
            time.sleep(0.05)

    def __call__(
        self, folder: Path, *argv: str | Path, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a script or ("-m", module), with arguments, in a folder."""
        return subprocess.run(
            [*self.client, *map(str, argv)],
            cwd=folder,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def stop(self) -> None:
        self.server.kill()
        self.server.wait()


@pytest.fixture(scope="session")
def new_commands() -> type[Commands]:
    """For a fork server of one's own."""
    return Commands


@pytest.fixture(scope="session")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    """Runs `commands(folder, script or "-m", module, *arguments, NAME=value)`."""
    made = Commands(tmp_path_factory.mktemp("commands"))
    yield made
    made.stop()


class MlflowServer:
    """An MLflow server on the loopback that can be stopped and started again; `root` is its disk.

    `store` is its database, an sqlite file unless said otherwise.
    """

    def __init__(self, root: Path, store: str | None = None) -> None:
        self.root = root
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.store = store or f"sqlite:///{root / 'store.db'}"
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        command = [
            sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1",
            "--port", str(self.port), "--backend-store-uri", self.store,
            "--artifacts-destination", str(self.root / "store"), "--workers", "1",
        ]  # fmt: skip
        environment = os.environ | {
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_TRACKING_URI": "",
        }
        log = self.root / "server.log"
        with log.open("a") as file:
            self.process = subprocess.Popen(
                command, cwd=self.root, env=environment, stdout=file, stderr=file,
                start_new_session=True,
            )  # fmt: skip
        wait_for(f"{self.address}/health", self.process, log)

    def stop(self) -> None:
        """Kill it, with its worker."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow server on the loopback, with an sqlite store; it ends with us."""
    server = MlflowServer(tmp_path_factory.mktemp("server"))
    try:
        server.start()
        yield server.address
    finally:
        server.stop()


@pytest.fixture(scope="session")
def new_server() -> type[MlflowServer]:
    """For a server of one's own, to stop it."""
    return MlflowServer


@pytest.fixture(scope="session")
def write_run() -> Callable[..., None]:
    """Makes a run folder SIZE/ABLATION/seedN with the run.json that training begins with."""
    return write_run_json


def write_run_json(folder: Path, experiment: str = "test", **changes: Any) -> None:
    """`changes` are other values of run.json."""
    manifest = DATA / "manifest.csv"
    folder.mkdir(parents=True)
    record = {
        "ablation": folder.parts[-2],
        "size": folder.parts[-3],
        "seed": int(folder.name.removeprefix("seed")),
        "commit": "abc",
        "corpus": asdict(Corpus.of("prompts", manifest.name, read_manifest(manifest))),
        "status": "running",
        "config": {"model": {"noise": "uniform"}, "mlflow": {"experiment": experiment}},
        "claims": [
            {
                "text": "Parts matter.",
                "metric": "reconstruction/stoi",
                "direction": "down",
                "margin": 0.01,
                "component": "compression",
            },
        ],
        "manifest": str(manifest),
        "started": now(),
        "finished": None,
        "mlflow": None,
    }
    write_record(folder, record | changes)


def wait_for(address: str, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"the server does not answer: {log.read_text()[-2000:]}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Headless Chromium that may play sound unasked; a skip where it is not installed."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    if path is None:
        pytest.skip("no browser: apt-get install chromium")
    with sync_api.sync_playwright() as driver:
        opened = driver.chromium.launch(
            executable_path=path, args=["--autoplay-policy=no-user-gesture-required"]
        )
        yield opened
        opened.close()


@pytest.fixture
def apt_repository(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, Callable[[str, dict[str, bytes]], None]]:
    """The folder of a stand-in apt-get on PATH, and what puts a package of such files into it."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / "bin").mkdir()
    (folder / "bin" / "apt-get").write_text(APT)
    (folder / "bin" / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("REPOSITORY", str(folder))
    return folder, partial(make_package, folder)


def make_package(repository: Path, name: str, files: dict[str, bytes]) -> None:
    """A real .deb of these files, and what apt-get would print of it."""
    tree = repository / "tree" / name
    for path, content in {f"usr/share/doc/{name}/copyright": b"free", **files}.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(content)
    (tree / "DEBIAN").mkdir()
    control = f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b.c>\n"
    (tree / "DEBIAN" / "control").write_text(f"{control}Description: made for a test\n")
    deb = repository / f"{name}_1_all.deb"
    subprocess.run(["dpkg-deb", "-b", tree, deb], check=True, capture_output=True)
    digest = hashlib.sha256(deb.read_bytes()).hexdigest()
    line = f"'http://mirror.example/{deb.name}' {deb.name} {deb.stat().st_size} SHA256:{digest}\n"
    (repository / f"{name}.uri").write_text(line)
