"""A study that is killed again and again, by the signal that nothing can catch.

Three kills of one system in the suite; `make chaos` (DCVAE_KILLS=10) takes two, and its time.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
import soundfile

ROOT = Path(__file__).parents[1]
KILLS = int(os.environ.get("DCVAE_KILLS", "3"))
MARK = "DCVAE_CHAOS"  # which every process of the study inherits
PATIENCE = 180  # seconds until a moment comes
OVERRIDES = [
    "size=debug", "data=debian_speech", "data.packages=[sounds-cs]", "mlflow=null",
    "trainer.steps=24", "trainer.save_every=4", "trainer.log_every=2", "precision=no",
    "adversary.start_fraction=0.2", "loader.num_workers=1",
]  # fmt: skip
SYSTEMS = ["baseline", "plain_ae"] if KILLS > 3 else ["plain_ae"]
STUDY = [
    "study=smoke",
    f"ablations=[{','.join(SYSTEMS)}]",
    *(["family=[]"] if len(SYSTEMS) == 1 else []),  # its claims are about the other
    f"overrides={json.dumps(OVERRIDES)}",
    "analysis.clips=4",
    "analysis.robustness_clips=2",
    "analysis.only=[quality]",
    "report=false",  # of the tables, which are compared
]

pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")


class Chaos:
    """One study in one folder, which can be started, watched and killed."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        threads = {"OMP_NUM_THREADS": "1", "DCVAE_THREADS": "1"}  # bits depend on their number
        self.environment = environment | threads | {MARK: str(folder)}
        self.runs = folder / "runs" / "debug-24steps"
        self.study = folder / "runs" / "studies" / "smoke"
        self.log = folder / "study.log"
        self.kills = 0
        folder.mkdir()

    def start(self) -> subprocess.Popen[bytes]:
        self.started = time.time()
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "experiments.study", *STUDY],
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
            )

    def kill(self, study: subprocess.Popen[bytes]) -> None:
        """All its processes at once, wherever they stand."""
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == str(self.folder):
                    process.send_signal(signal.SIGKILL)
            except psutil.Error:  # it ended meanwhile
                continue
        study.wait()

    def kill_at(self, moment: Callable[[], bool], chance: random.Random) -> None:
        """Start, wait for a moment, and a random while of it; a study that ends first is done."""
        study = self.start()
        deadline = time.monotonic() + PATIENCE
        while study.poll() is None and not moment():
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.001)
        time.sleep(chance.random() * 0.2)
        self.kills += study.poll() is None
        self.kill(study)

    def fetching(self) -> bool:
        return any((self.folder / "data/debian_speech").glob("download/*.deb"))

    def training(self) -> bool:
        return self.recent("*/seed0/metrics.jsonl")

    def writing(self) -> bool:
        return any(self.runs.glob("*/seed0/states/.*.part"))

    def analysing(self) -> bool:
        return self.recent("*/seed0/analysis/**/*")

    def recent(self, pattern: str) -> bool:
        """Whether such a file was written since the last start."""
        return any(path.stat().st_mtime > self.started for path in self.runs.glob(pattern))

    def said(self) -> str:
        return self.log.read_text()

    def weights(self) -> dict[str, bytes]:
        """By their path: training goes on to the bit."""
        return self.found(self.runs, "*/seed0/*/model.safetensors", Path.read_bytes)

    def tables(self) -> dict[str, pd.DataFrame]:
        of_runs = self.found(self.runs, "*/seed0/analysis/*.csv", pd.read_csv)
        return of_runs | self.found(self.study, "*.csv", pd.read_csv)

    def found(self, folder: Path, pattern: str, read: Callable[[Path], Any]) -> dict[str, Any]:
        return {str(path.relative_to(folder)): read(path) for path in sorted(folder.glob(pattern))}


@pytest.fixture
def environment(apt_repository) -> dict[str, str]:
    """With a corpus to fetch: real speech in a package, which is slow to come."""
    folder, make_package = apt_repository
    sounds = {}
    for clip in sorted((ROOT / "tests" / "data").glob("*.flac")):
        wave, rate = soundfile.read(clip)
        for number in range(12):  # the splits go by a hash of the name
            soundfile.write(folder / "clip.ogg", wave[number * rate // 16 :], rate)
            name = f"usr/share/games/fillets-ng/sound/x/cs/{clip.stem}-{number}.ogg"
            sounds[name] = (folder / "clip.ogg").read_bytes()
    make_package("sounds-cs", sounds)
    (folder / "slow").touch()
    return dict(os.environ) | {"PYTHONPATH": str(ROOT)}


@pytest.fixture
def calm(environment, tmp_path) -> Chaos:
    """A study that nobody killed."""
    study = Chaos(tmp_path / "calm", environment)
    assert study.start().wait() == 0, study.said()
    return study


def test_a_study_that_is_killed_ends_as_one_that_is_not(calm, environment, tmp_path):
    chaos = Chaos(tmp_path / "chaos", environment)
    first = [chaos.fetching, chaos.writing, chaos.analysing]
    second = [chaos.training, chaos.writing] * 2 + [chaos.training] + [chaos.analysing] * 2
    chance = random.Random(0)
    for moment in [*first, *second][:KILLS]:
        chaos.kill_at(moment, chance)
    assert chaos.kills == KILLS  # it did not end before
    assert chaos.start().wait() == 0, chaos.said()
    assert calm.weights()
    assert chaos.weights() == calm.weights()
    expected, found = calm.tables(), chaos.tables()
    assert {Path(path).name for path in expected} >= {"table.csv", "statistics.csv", "claims.csv"}
    assert found.keys() == expected.keys()
    for path, table in expected.items():
        # an analysis that goes on has batches of other sizes; the vocoder amplifies their rounding
        pd.testing.assert_frame_equal(found[path], table, rtol=1e-2, atol=1e-2)
    assert f"{len(SYSTEMS)} finished, 0 finished before, 0 failed" in calm.said()
    assert calm.start().wait() == 0, calm.said()
    assert f"0 finished, {len(SYSTEMS)} finished before, 0 failed" in calm.said()
