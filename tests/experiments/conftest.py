"""A small training run on real speech, for the tests of what happens in one."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator, DataLoaderConfiguration
from accelerate.utils import set_seed
from torch import Tensor

from dcvae import SpeechAutoencoder
from dcvae.models.discriminators import PatchDiscriminator
from dcvae.utils.threads import torch_threads
from dcvae.vocoders import load_vocoder
from experiments.adversary import Adversary
from experiments.data.clips import training_loader, validation_waves
from experiments.objective import Objective
from experiments.optim import build_optimizers
from experiments.tracking import Tracker
from experiments.trainer import Trainer
from experiments.validation import Validation

MANIFEST = Path(__file__).parents[1] / "data" / "manifest.csv"
TIMES = ("time", "train/speech_per_second", "train/steps_per_second")
OPTIMIZER = partial(
    build_optimizers,
    lr=2e-3,
    muon=True,
    muon_gains=False,
    muon_scale=0.2,
    momentum=0.9,
    betas=(0.8, 0.99),
    weight_decay=0.0,
)


def small_trainer(
    run_dir: Path,
    seed: int = 0,
    *,
    batch_size: int = 2,
    noise: str = "uniform",
    dispersive: float = 0.25,
    adversary_start: float | None = 1 / 3,
    optimizer: Callable = OPTIMIZER,
    **options: object,
) -> Trainer:
    """Six steps of a small model on real speech; the critic takes part from the third."""
    run_dir.mkdir(parents=True, exist_ok=True)
    set_seed(seed)
    accelerator = Accelerator(
        cpu=True, dataloader_config=DataLoaderConfiguration(split_batches=True)
    )
    model = SpeechAutoencoder(
        channels=[8, 8, 8, 16, 16],
        encoder_layers=[0, 1, 1, 1, 1],
        decoder_layers=[0, 1, 1, 1, 1],
        noise=noise,
    )
    weights = {"reconstruction": 5.0, "kl": 0.0, "adversarial": 1.0, "feature_matching": 2.0}
    settings = {"steps": 6, "warmup": 2, "log_every": 1, "validate_every": 3, "save_every": 3}
    settings |= {"final_lr": 0.1, "clip_norm": 500.0, "accumulate": 1, "ema": None}
    return Trainer(
        accelerator=accelerator,
        model=model,
        objective=Objective(
            dispersive={"weight": dispersive, "form": "cosine", "temperature": 1.0},
            **{name: {"weight": weight} for name, weight in weights.items()},
        ),
        optimizers=optimizer([model]),
        adversary=None
        if adversary_start is None
        else Adversary(
            patch=PatchDiscriminator(2), bands=None, optimizer=optimizer, start=adversary_start
        ),
        loader=training_loader(MANIFEST, segment_frames=64, batch_size=batch_size, seed=seed),
        validation=Validation(
            waves=validation_waves(MANIFEST, count=2, max_seconds=1.0),
            examples=1,
            vocoder=load_vocoder("griffin_lim", iterations=4),
            run_dir=run_dir,
            device=torch.device("cpu"),
        ),
        tracker=Tracker(run_dir if accelerator.is_main_process else None),
        run_dir=run_dir,
        **(settings | {"recompute": False, "compile": False} | options),
    )


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
