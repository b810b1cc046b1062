"""A study that is killed again and again, by the signal that nothing can catch.

Three kills in the suite; `make chaos` (DCVAE_KILLS=10) takes its time.
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
from itertools import cycle, islice
from pathlib import Path

import psutil
import pytest
import soundfile

ROOT = Path(__file__).parents[1]
KILLS = int(os.environ.get("DCVAE_KILLS", "3"))
MARK = "DCVAE_CHAOS"  # which every process of the study inherits
PATIENCE = 180  # seconds until a moment comes
OVERRIDES = [
    "size=debug", "data=debian_speech", "data.packages=[sounds-cs]", "mlflow=null",
    "trainer.steps=40", "trainer.save_every=4", "trainer.log_every=2", "adversary.start=0.2",
    "loader.num_workers=1",
]  # fmt: skip
STUDY = [
    "study=smoke",
    f"overrides={json.dumps(OVERRIDES)}",
    "analysis.clips=4",
    "analysis.robustness_clips=2",
    "analysis.only=[quality,latent_noise]",
]

pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")


class Chaos:
    """One study in one folder, which can be started, watched and killed."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment | {MARK: str(folder), "OMP_NUM_THREADS": "1"}
        self.runs = folder / "runs" / "debug"
        self.kills = 0
        folder.mkdir()

    def start(self) -> subprocess.Popen[bytes]:
        self.started = time.time()
        with (self.folder / "study.log").open("ab") as log:
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
            assert time.monotonic() < deadline, (self.folder / "study.log").read_text()
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

    def results(self) -> dict[str, bytes]:
        """Weights and tables, by their path."""
        wanted = ("*/seed0/*/model.safetensors", "*/seed0/analysis/*.csv", "*.csv")
        paths = [path for pattern in wanted for path in sorted(self.runs.glob(pattern))]
        return {str(path.relative_to(self.runs)): path.read_bytes() for path in paths}


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


def test_a_study_that_is_killed_ends_as_one_that_is_not(environment, tmp_path):
    calm = Chaos(tmp_path / "calm", environment)
    assert calm.start().wait() == 0, (calm.folder / "study.log").read_text()
    chaos = Chaos(tmp_path / "chaos", environment)
    moments = [chaos.fetching, chaos.writing, chaos.analysing, chaos.training, chaos.writing]
    chance = random.Random(0)
    for moment in islice(cycle(moments), KILLS):
        chaos.kill_at(moment, chance)
    assert chaos.kills == KILLS  # it did not end before
    assert chaos.start().wait() == 0, (chaos.folder / "study.log").read_text()
    expected, found = calm.results(), chaos.results()
    assert {Path(path).name for path in expected} >= {"model.safetensors", "table.csv"}
    assert found == expected
    assert (chaos.folder / "reports" / "out" / "index.html").is_file()
