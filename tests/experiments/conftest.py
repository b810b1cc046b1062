"""A small training run on real speech, for the tests of what happens in one."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from dcvae.utils.threads import torch_threads
from experiments.config import compose_runs
from experiments.tracking.tracker import Tracker
from experiments.training.builder import build_accelerator, build_trainer
from experiments.training.trainer import Trainer

MANIFEST = Path(__file__).parents[1] / "data" / "manifest.csv"
TIMES = ("time", "train/speech_per_second", "train/steps_per_second")
OPTIMIZER = {
    "_target_": "experiments.training.optimizers.build_optimizers",
    "_partial_": True,
    "lr": 2e-3,
    "muon": {"momentum": 0.9, "scale": 0.2, "gains": False},
    "adamw": {"betas": [0.8, 0.99]},
    "weight_decay": 0.0,
}


@cache
def debug_config() -> dict[str, Any]:
    (composed,) = compose_runs("baseline", [0], ["size=debug", "precision=no"])
    return composed.config


def small_trainer(
    run_dir: Path,
    seed: int = 0,
    *,
    batch_size: int = 2,
    noise: str = "uniform",
    dispersive: float = 0.25,
    adversary_start: float | None = 1 / 3,
    optimizer: Callable | None = None,
    **options: object,
) -> Trainer:
    """Six steps of a small model on real speech; the critic takes part from the third.

    `optimizer` makes others than the configuration's of a list of modules.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    config = deepcopy(debug_config()) | {"seed": seed, "optimizer": OPTIMIZER}
    config["model"] |= {"noise": noise, "channels": [8, 8, 8, 16, 16]}
    config["model"] |= {"encoder_layers": [0, 1, 1, 1, 1], "decoder_layers": [0, 1, 1, 1, 1]}
    losses = config["losses"]
    losses["dispersive"] = {"weight": dispersive, "form": "cosine", "temperature": 1.0}
    losses["adversarial"], losses["feature_matching"] = {"weight": 1.0}, {"weight": 2.0}
    config["adversary"] |= {"bands": None, "optimizer": OPTIMIZER}
    config["adversary"]["start_fraction"] = adversary_start
    if adversary_start is None:
        config["adversary"] = None
    config["loader"]["batch_size"] = batch_size
    config["validation"]["clips"]["max_seconds"] = 1.0
    config["vocoder"]["iterations"] = 4
    config["trainer"] |= {"steps": 6, "warmup_steps": 2, "min_lr_ratio": 0.1}
    config["trainer"] |= {"validate_every": 3, "save_every": 3} | options
    accelerator = build_accelerator(config, cpu=True)
    tracker = Tracker(run_dir if accelerator.is_main_process else None)
    run = build_trainer(config, accelerator, MANIFEST, run_dir, tracker=tracker)
    if optimizer is not None:
        run.optimizers = [accelerator.prepare(one) for one in optimizer([run.model])]
        if run.adversary is not None:
            critics = run.adversary.critics
            run.adversary.optimizers = [accelerator.prepare(one) for one in optimizer([critics])]
    return run


def fit_until(run: Trainer, step: int) -> None:
    """Fit, and be interrupted after the last batch of that step, counted from 0."""
    train_step = run.train_step

    def die(wave: Tensor, now: int) -> dict[str, Tensor]:
        terms = train_step(wave, now)
        if now == step and run.accelerator.sync_gradients:
            raise KeyboardInterrupt
        return terms

    run.train_step = die
    with pytest.raises(KeyboardInterrupt):
        run.fit()


def logged(run_dir: Path) -> list[dict[str, float]]:
    """What was logged, but for the times."""
    rows = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    return [{name: row[name] for name in row if name not in TIMES} for row in rows]


class Keep(torch.optim.SGD):
    """Keeps the gradients, and takes no step."""

    def step(self, closure: None = None) -> None:
        self.kept = [parameter.grad.clone() for parameter in self.param_groups[0]["params"]]


def observe_batch(run_dir: Path) -> dict[str, Tensor]:
    """The terms of one batch of four clips and all gradients, by as many processes as there are."""
    run = small_trainer(
        run_dir,
        batch_size=4,
        dispersive=50.0,
        adversary_start=0.0,
        optimizer=lambda modules: [Keep(modules[0].parameters(), lr=0.0)],
    )
    terms = run.train_step(next(run.batches()), step=0)
    found = {f"term/{name}": run.accelerator.reduce(term, "mean") for name, term in terms.items()}
    for part, optimizers in (("model", run.optimizers), ("critics", run.adversary.optimizers)):
        for number, gradient in enumerate(optimizers[0].optimizer.kept):
            found[f"gradient/{part}/{number}"] = gradient
    return {name: value.detach().contiguous() for name, value in found.items()}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Models this small are no faster on two, and far slower where something else runs."""
    with torch_threads(1):
        yield


@pytest.fixture(scope="session")
def observe() -> Callable[[Path], dict[str, Tensor]]:
    return observe_batch


@pytest.fixture(scope="session")
def interrupt() -> Callable[[Trainer, int], None]:
    return fit_until


@pytest.fixture(scope="session")
def trainer() -> Callable[..., Trainer]:
    return small_trainer


@pytest.fixture(scope="session")
def curves() -> Callable[[Path], list[dict[str, float]]]:
    return logged
