"""One of the processes that share batches: run by test_processes, with its rank in RANK.

Writes what conftest's observe_batch sees, and the weights of a run with those of the same run
after an interruption.
"""

import os
import sys
from pathlib import Path

import torch
from conftest import fit_until, observe_batch, small_trainer
from safetensors.torch import save_file
from torch import Tensor

from experiments.training.trainer import Trainer

RUN = {
    "batch_size": 4,
    "gradient_accumulation_steps": 2,
    "ema_decay": 0.5,
    "adversary_start": 0.0,
    "steps": 3,
}


def weights(run: Trainer, name: str) -> dict[str, Tensor]:
    """Those of autoencoder, critics and average."""
    every = [p for part in (*run.learners, run.average) for p in part.parameters()]
    return {f"{name}/{number}": p.detach().clone() for number, p in enumerate(every)}


def train_and_resume(folder: Path) -> dict[str, Tensor]:
    """The state of the second step is saved, and the third is taken twice."""
    whole = small_trainer(folder / "whole", save_every=2, **RUN)
    whole.fit()
    fit_until(small_trainer(folder / "cut", save_every=2, **RUN), 2)
    resumed = small_trainer(folder / "cut", save_every=2, **RUN)
    resumed.fit()
    return weights(whole, "whole") | weights(resumed, "resumed")


if __name__ == "__main__":
    torch.set_num_threads(1)
    shared, own = Path(sys.argv[1]), Path(sys.argv[1], os.environ["RANK"])
    save_file(observe_batch(own) | train_and_resume(shared), own / "seen.safetensors")
