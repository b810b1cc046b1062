"""Builds a run's parts from its configuration: each section goes to its class, key by key."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from accelerate import Accelerator, DataLoaderConfiguration
from accelerate.utils import GradientAccumulationPlugin, set_seed
from torch import Tensor
from torch.utils.data import DataLoader

from dcvae.data.provenance import Training
from experiments.config import instantiate
from experiments.data.clips import training_loader, validation_waves
from experiments.limits import check_whole
from experiments.tracking.tracker import Tracker
from experiments.training.checkpointing import Checkpoints
from experiments.training.hardware import choose_precision
from experiments.training.objective import Objective
from experiments.training.trainer import Trainer, TrainerSettings, run_facts
from experiments.training.validation import Validation

logger = logging.getLogger(__name__)


def build_accelerator(config: Mapping[str, Any], cpu: bool = False) -> Accelerator:
    """Of the configuration's precision and accumulation; ValueError for what neither can be."""
    batches = config["trainer"]["gradient_accumulation_steps"]
    check_whole("trainer.gradient_accumulation_steps", batches, 1)
    return Accelerator(
        cpu=cpu,
        mixed_precision=choose_precision(config["precision"]),
        # batches accumulate across the ends of epochs
        gradient_accumulation_plugin=GradientAccumulationPlugin(
            num_steps=batches, sync_with_dataloader=False
        ),
        # one batch is cut among the processes, so that their number changes no result
        dataloader_config=DataLoaderConfiguration(split_batches=True, non_blocking=True),
    )


def build_trainer(
    config: Mapping[str, Any],
    accelerator: Accelerator,
    manifest: Path,
    run_dir: Path,
    *,
    tracker: Tracker | None = None,
    described: Mapping[str, Any] | None = None,
    loader: DataLoader[Tensor] | None = None,
) -> Trainer:
    """The trainer of a whole configuration, as experiments.config composes it.

    `described` is what the model cards tell of the run besides (dcvae.data.provenance.Training);
    `loader` takes the place of the configured one. ValueError for a key that a part does not know.
    """
    if accelerator.is_main_process:
        warn_of_lone_clips(config)
    try:
        vocoder = instantiate(config["vocoder"])  # before the seed, which it must not draw from
        set_seed(config["seed"])
        model = instantiate(config["model"])
        settings = TrainerSettings(**config["trainer"])
        facts = run_facts(model, accelerator, settings.steps)
        training = Training.of({**(described or {}), **facts})
        return Trainer(
            accelerator=accelerator,
            model=model,
            objective=Objective(**config["losses"]),
            optimizers=instantiate(config["optimizer"])([model]),
            adversary=instantiate(config["adversary"]),
            loader=loader or training_loader(manifest, seed=config["seed"], **config["loader"]),
            validation=Validation(
                waves=validation_waves(manifest, **config["validation"]["clips"]),
                examples=config["validation"]["examples"],
                vocoder=vocoder,
                run_dir=run_dir,
                device=accelerator.device,
            ),
            tracker=tracker or Tracker(),
            checkpoints=Checkpoints(run_dir, accelerator, training),
            settings=settings,
        )
    except TypeError as error:
        raise ValueError(f"the configuration does not fit: {error}") from error


def warn_of_lone_clips(config: Mapping[str, Any]) -> None:
    """Say that a batch of one clip trains without a loss that the configuration asks for."""
    if config["loader"]["batch_size"] == 1 and config["losses"]["dispersive"]["weight"]:
        logger.warning(
            "loader.batch_size=1: no two clips repel each other, so losses.dispersive is left out"
        )
