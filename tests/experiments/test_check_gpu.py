import re
from pathlib import Path

import pytest
import torch

from experiments.benchmark.gpu import deviation, largest
from experiments.check_gpu import COLUMNS, main

ROOT = Path(__file__).parents[2]


def test_one_table_is_written_and_losses_that_differ_are_told(tmp_path, commands):
    """In a process of its own, for accelerate would leave bfloat16 behind in this one."""
    out = tmp_path / "out" / "gpu.md"
    options = "--device cpu --size debug --full-size debug --steps 12 --batch 2 --tolerance 0"
    done = commands(ROOT, "-m", "experiments.check_gpu", out, *options.split(), DCVAE_THREADS="1")
    assert done.returncode == 1, done.stderr  # bfloat16 beside float32
    assert re.search(r"the losses differ by [\d.]+%, more than 0%", done.stderr)
    rows = [line.strip("| ").split(" | ") for line in out.read_text().splitlines() if "| " in line]
    assert rows[0] == COLUMNS
    shapes = [["debug", "2 x 64"], *[["debug", "2 x 64, the most tried"]] * 2]
    assert [row[:2] for row in rows[1:]] == shapes
    differ = re.fullmatch(r"([\d.]+)% at most in 10 steps", rows[1][-1])
    assert 0 < float(differ[1]) < 2  # what is allowed otherwise
    assert [path.name for path in out.parent.iterdir()] == ["gpu.md"]


def test_without_a_gpu_it_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="2"):
        main([str(tmp_path / "gpu.md")])
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "there is no GPU here" in error
    assert not list(tmp_path.iterdir())


def test_the_batch_is_doubled_until_the_memory_is_full():
    tried = []

    def cost(batch):
        tried.append(batch)
        if batch > 5:
            raise torch.OutOfMemoryError
        return ["full", f"{batch} x 960", "1.00"]

    assert largest(cost, 1024) == ["full", "4 x 960, the most that fit", "1.00"]
    assert tried == [1, 2, 4, 8]
    assert largest(cost, 2) == ["full", "2 x 960, the most tried", "1.00"]
    with pytest.raises(ValueError, match="not even one clip fits"):
        largest(lambda batch: cost(8), 1024)


def test_the_worst_step_counts():
    assert deviation([1.0, 2.1, 3.0], [1.0, 2.0, 3.03]) == pytest.approx(0.05)
