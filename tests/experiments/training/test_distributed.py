import os
import subprocess
from pathlib import Path
from socket import socket

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from experiments.training.distributed import gather_rows

SCRIPT = Path(__file__).parents[1] / "one_of_two.py"


@pytest.fixture(scope="module")
def one(observe, tmp_path_factory) -> dict[str, Tensor]:
    """What a batch gave to this process alone."""
    return observe(tmp_path_factory.mktemp("one"))


@pytest.fixture(scope="module")
def two(tmp_path_factory, commands) -> list[dict[str, Tensor]]:
    """What the same batch gave to each of two processes that shared it."""
    folder = tmp_path_factory.mktemp("two")
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    shared = (
        os.environ
        | meeting
        | {"OMP_NUM_THREADS": "1", "WORLD_SIZE": "2", "PYTHONPATH": str(SCRIPT.parents[2])}
    )
    running = [
        subprocess.Popen(
            [*commands.client, str(SCRIPT), str(folder)],
            env=shared | {"RANK": rank, "LOCAL_RANK": rank},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in "01"
    ]
    for process in running:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    return [load_file(folder / rank / "seen.safetensors") for rank in "01"]


def test_two_processes_have_the_gradient_of_the_whole_batch(one, two):
    """The whole objective with noise and critics; the repulsion, between all, counts much in it."""
    names = [name for name in one if name.startswith("gradient/")]
    whole = torch.stack([one[name].norm() for name in names]).norm()
    for name in names:
        for rank in two:
            # of an absolute error's gradient a sign is left, which rounding turns where the error
            # is near 0: one of 20,480 counts 1%; half a batch, or one without repulsion, far more
            off = (rank[name] - one[name]).norm()
            assert off < 0.02 * one[name].norm() + 1e-5 * whole, name
    assert max(one[name].abs().max() for name in names) > 0.01


def test_two_processes_log_the_terms_of_the_whole_batch(one, two):
    names = [name for name in one if name.startswith("term/")]
    assert {"term/dispersive", "term/adversarial", "term/critic", "term/loss"} <= set(names)
    for name in names:
        # means of what a deep network gives in float32, 1e-5 of each value
        torch.testing.assert_close(two[0][name], one[name], rtol=1e-4, atol=1e-6)


def test_two_processes_resume_bit_for_bit(two):
    """With accumulated batches: DDP must reduce at a step's last batch alone, first or not."""
    for rank in two:
        names = [name for name in rank if name.startswith("whole/")]
        assert names
        for name in names:
            assert torch.equal(rank[name], rank[name.replace("whole", "resumed")]), name


def test_a_single_process_keeps_its_rows():
    rows = torch.rand(3, 2)
    assert gather_rows(rows) is rows
