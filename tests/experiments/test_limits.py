"""Numbers that no training can use: one line on the command line, before anything is written."""

from pathlib import Path

import pytest

RUN = Path(__file__).parents[2] / "experiments" / "run.py"
MANIFEST = Path(__file__).parents[1] / "data" / "manifest.csv"
ARGUMENTS = ("size=debug", "data=filelist", f"data.train={MANIFEST}", "mlflow=null")


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("trainer.steps=2.5", "trainer.steps must be a whole number, 1 or more, not 2.5"),
        ("trainer.steps=0", "trainer.steps must be a whole number, 1 or more, not 0"),
        ("trainer.steps=null", "trainer.steps must be a whole number, 1 or more, not None"),
        ("trainer.validate_every=0", "trainer.validate_every must be a whole number, 1 or more"),
        ("trainer.save_every=-1", "trainer.save_every must be a whole number, 1 or more, not -1"),
        ("trainer.log_every=0.5", "trainer.log_every must be a whole number, 1 or more, not 0.5"),
        ("seed=-1", "seed must be a whole number, 0 to 4294967295, not -1"),
        ("seed=4294967296", "seed must be a whole number, 0 to 4294967295, not 4294967296"),
        ("seed=true", "seed must be a whole number"),
        ("loader.batch_size=0", "loader.batch_size must be a whole number, 1 or more, not 0"),
        ("loader.segment_frames=15", "segment_frames=15 is less than one latent frame"),
        ("validation.clips.count=0", "validation.clips.count must be a whole number, 1 or more"),
        ("optimizer.lr=nan", "optimizer.lr must be a finite number, 0 or more, not nan"),
        ("trainer.ema_decay=2", "trainer.ema_decay must be a finite number, 0 to 1, not 2"),
        ("DCVAE_THREADS=0", "DCVAE_THREADS must be a whole number, 1 or more, not 0"),
        ("DCVAE_THREADS=all", "DCVAE_THREADS must be a whole number, 1 or more, not all"),
        ("DCVAE_MLFLOW_PATIENCE=soon", "DCVAE_MLFLOW_PATIENCE is a number of seconds, not 'soon'"),
    ],
)
def test_a_number_that_is_none_is_told_before_any_work(commands, tmp_path, override, told):
    name, _, value = override.partition("=")
    environment = {name: value} if name.isupper() else {}
    given = () if environment else (override,)
    done = commands(tmp_path, RUN, *ARGUMENTS, *given, **environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_divergence_in_the_last_step_is_no_end(commands, tmp_path):
    """No loss follows that could tell: the validation does, and keeps nothing."""
    given = ("optimizer.lr=1e30", "trainer.steps=1", "trainer.warmup_steps=0", "precision=no")
    done = commands(tmp_path, RUN, *ARGUMENTS, *given)
    assert done.returncode == 2
    assert "validation/reconstruction became" in done.stderr
    assert "at step 1: training ends" in done.stderr
    folder = tmp_path / "runs" / "debug-1steps" / "baseline" / "seed0"
    assert '"status": "failed"' in (folder / "run.json").read_text()
    assert not (folder / "last").exists()
    assert not (folder / "states").exists()
    assert not (folder / "validation").exists()
