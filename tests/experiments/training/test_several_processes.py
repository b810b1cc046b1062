"""The launcher's two processes against one, over twenty steps of the whole objective."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent
STEPS = 20
RUN = [
    ROOT / "experiments" / "run.py", "size=debug", "data=filelist", "mlflow=null",
    f"data.train={ROOT / 'tests' / 'data' / 'manifest.csv'}", "loader.batch_size=4",
    f"trainer.steps={STEPS}", "trainer.log_every=1", "adversary.start_fraction=0.3", "precision=no",
]  # fmt: skip
LAUNCH = [BIN / "accelerate", "launch", "--quiet", "--num_machines", "1", "--mixed_precision", "no"]
LAUNCH += ["--dynamo_backend", "no", "--main_process_port", "0"]
TIMES = ("time", "train/speech_per_second", "train/steps_per_second")


def curves(folder: Path, *command: str | Path) -> list[dict[str, float]]:
    """What a run of that command logged, but for the times."""
    environment = {k: v for k, v in os.environ.items() if k not in {"MASTER_ADDR", "WORLD_SIZE"}}
    environment |= {"OMP_NUM_THREADS": "1", "DCVAE_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run(
        list(map(str, [*command, *RUN])),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = (
        (folder / f"runs/debug-{STEPS}steps/baseline/seed0/metrics.jsonl").read_text().splitlines()
    )
    rows = [row for row in map(json.loads, lines) if "run/train_seconds" not in row]
    return [{name: row[name] for name in row if name not in TIMES} for row in rows]


def test_two_processes_log_the_losses_of_one(tmp_path_factory, commands):
    alone = curves(tmp_path_factory.mktemp("one"), *commands.client)
    two = curves(tmp_path_factory.mktemp("two"), *LAUNCH, "--multi_gpu", "--num_processes", "2")
    losses = {name for row in alone for name in row}
    assert {"train/dispersive", "train/critic", "train/feature_matching"} <= losses
    assert len(alone) >= STEPS
    for ours, theirs in zip(two, alone, strict=True):
        norms = [row.pop("train/gradient_norm", 0.0) for row in (ours, theirs)]
        # squared cosines of six pairs, of latents that Muon's float32 (ORTHOGONAL in its own tests)
        # moves at each step, not of a mean over all values; pairs of half the clips are 10% away
        cosines = [row.pop("train/dispersive", 0.0) for row in (ours, theirs)]
        assert cosines[0] == pytest.approx(cosines[1], rel=1e-3)
        assert ours == pytest.approx(theirs, rel=1e-4)
        assert norms[0] == pytest.approx(norms[1], rel=1e-2)  # a sign near 0 goes either way


def test_one_process_where_two_were_asked_for_is_an_error(tmp_path, commands, monkeypatch):
    """What `accelerate launch --cpu --num_processes 2` does to the environment."""
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    done = commands(tmp_path, *RUN, MASTER_ADDR="127.0.0.1", ACCELERATE_USE_CPU="True")
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert "--multi_gpu --num_processes 2" in line
