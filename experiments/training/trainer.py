"""The training loop. It knows weights and steps, and no ablation by name."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator, skip_first_batches
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader
from tqdm import tqdm

from dcvae import LogMel, SpeechAutoencoder
from dcvae.models.fused_ops.training import fuse_for_training
from experiments.data.clips import stop_workers
from experiments.tracking.tracker import Tracker
from experiments.training.adversarial import Adversary
from experiments.training.checkpointing import Checkpoints, Progress
from experiments.training.distributed import any_rank, sync_rng
from experiments.training.hardware import describe_device
from experiments.training.metrics import MetricsLogger, check_weights
from experiments.training.model_wrappers import (
    checkpoint_activations,
    compile_in_place,
    ema_model,
    uncompiled,
)
from experiments.training.objective import Objective
from experiments.training.optimizers import match_precision, set_learning_rate, warmup_cosine
from experiments.training.preemption import Interrupted, PreemptionHandler
from experiments.training.validation import Validation


@dataclass(frozen=True, kw_only=True)
class TrainerSettings:
    """The section `trainer` of the configuration."""

    steps: int
    warmup_steps: int
    min_lr_ratio: float  # of the learning rate, at the end of its cosine
    max_grad_norm: float
    gradient_accumulation_steps: int  # batches a step; see builder.build_accelerator
    ema_decay: float | None
    activation_checkpointing: bool
    compile: bool
    log_every: int  # steps, as the next two
    validate_every: int
    save_every: int


class Trainer:
    """Fits a model to batches of waves [B, T]; call `fit` once.

    The same folder and configuration go on from the last saved state.
    """

    def __init__(
        self,
        *,
        accelerator: Accelerator,
        model: SpeechAutoencoder,
        objective: Objective,
        optimizers: list[Optimizer],
        adversary: Adversary | None,
        loader: DataLoader[Tensor],
        validation: Validation,
        tracker: Tracker,
        checkpoints: Checkpoints,
        settings: TrainerSettings,
    ) -> None:
        """Prepare the parts for the accelerator's device and processes."""
        self.accelerator, self.settings = accelerator, settings
        self.prepare_model(model)
        self.loader = accelerator.prepare(loader)
        match_precision(optimizers, accelerator.mixed_precision)
        self.optimizers: list[Optimizer] = [accelerator.prepare(one) for one in optimizers]
        self.learners: list[nn.Module] = [self.model]
        self.adversary_start = settings.steps
        if adversary is not None:
            adversary.prepare(accelerator)
            self.learners.append(adversary.critics)
            self.adversary_start = round(adversary.start_fraction * settings.steps)
        self.mel = LogMel().to(accelerator.device)
        self.objective, self.adversary = objective, adversary
        self.validation, self.tracker, self.checkpoints = validation, tracker, checkpoints
        self.progress = Progress()

    def prepare_model(self, model: SpeechAutoencoder) -> None:
        """Put the model and its average on the device, where accelerate saves and restores both."""
        settings, accelerator = self.settings, self.accelerator
        if accelerator.mixed_precision == "bf16":  # in float32 it can be slower
            model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        model.bottleneck.share_noise(accelerator.process_index, accelerator.num_processes)
        average = None
        if settings.ema_decay is not None:
            average = ema_model(model, settings.ema_decay)  # while the model is bare
        self.compiled = settings.compile and compile_in_place(model, accelerator.device)
        if not self.compiled:
            fuse_for_training(model.backbone)
        if settings.activation_checkpointing:
            checkpoint_activations(model.backbone)
        self.model = accelerator.prepare(model)
        self.average = average and accelerator.prepare_model(average, evaluation_mode=True)

    def fit(self, preemption: PreemptionHandler | None = None) -> Progress:
        """Train to the last step, validate and save on the way, and say how far it came.

        Interrupted when that is asked for, after a state is saved.
        """
        self.progress = progress = self.checkpoints.load_state() or Progress()
        sync_rng()
        self.preemption = preemption or PreemptionHandler()
        self.tracker.rewind(progress.step)
        bar = tqdm(
            initial=progress.step,
            total=self.settings.steps,
            unit="step",
            mininterval=1.0,  # seconds: a log file gets each refresh as a line
            disable=not self.accelerator.is_main_process,
        )
        try:
            with bar:
                self.train(MetricsLogger(self.accelerator), bar)
        finally:
            stop_workers(self.loader)
        return progress

    def train(self, logger: MetricsLogger, bar: tqdm) -> None:
        """Batch after batch, until the last step is taken."""
        progress = self.progress
        for wave in self.batches():
            if progress.step >= self.settings.steps:
                break
            logger.start()
            terms = self.train_step(wave, progress.step)
            progress.batch += 1
            logger.stop(progress.step + 1, terms, wave)
            if self.accelerator.sync_gradients:  # the batch completed a step
                progress.step += 1
                bar.update()
                self.follow_up(logger, bar)

    def follow_up(self, logger: MetricsLogger, bar: tqdm) -> None:
        """After a step: a log, a validation and a saved state, each when it is due."""
        leave = self.asked_to_leave()
        save = leave or self.due(self.settings.save_every)
        if save or self.due(self.settings.log_every):  # a saved state owes the log nothing
            self.log(logger, bar)
        if self.due(self.settings.validate_every):
            self.validate()
        if save:
            check_weights(self.model, self.progress.step)
            self.checkpoints.save_state(self.progress)
        if leave and self.progress.step < self.settings.steps:
            raise Interrupted

    def asked_to_leave(self) -> bool:
        """Whether a signal came to some process, where they wait for each other anyway."""
        if self.accelerator.num_processes > 1 and not self.due(self.settings.log_every):
            return False
        return any_rank(self.preemption.asked, self.accelerator)

    def log(self, logger: MetricsLogger, bar: tqdm) -> None:
        """The means since the last time, to the tracker and to the eye."""
        metrics = logger.flush(self.progress)
        self.tracker.log_metrics(self.progress.step, metrics)
        bar.set_postfix_str(
            f"mel L1 {metrics['train/reconstruction']:.3f},"
            f" {metrics['train/speech_per_second']:.0f}x real time"
        )

    def facts(self) -> dict[str, Any]:
        """What run.json tells of the model and of where it is trained."""
        model = self.accelerator.unwrap_model(self.model)
        return run_facts(model, self.accelerator, self.settings.steps)

    def due(self, interval: int) -> bool:
        """Whether this step ends an interval; the last step ends every one."""
        return self.progress.step % interval == 0 or self.progress.step == self.settings.steps

    def batches(self) -> Iterator[Tensor]:
        """Waves [B, T] without end, from where the progress stands, epoch after epoch."""
        while True:
            self.loader.set_epoch(self.progress.epoch)
            batches: Iterable[Tensor] = self.loader
            if self.progress.batch:
                batches = skip_first_batches(self.loader, self.progress.batch)
            yield from batches
            self.progress.epoch, self.progress.batch = self.progress.epoch + 1, 0

    def train_step(self, wave: Tensor, step: int) -> dict[str, Tensor]:
        """One update of the autoencoder, and of the critics once they take part.

        Where batches accumulate it is the last one of a step that updates, with the mean of their
        gradients; a clip repels those of its own batch alone.
        """
        with self.accelerator.accumulate(*self.learners):
            return self.train_batch(self.mel(wave), step)

    def train_batch(self, mel: Tensor, step: int) -> dict[str, Tensor]:
        """Log-mel [B, M, F] of one batch -> all terms, after their gradient is taken."""
        set_learning_rate(self.optimizers, self.rate(step, 0))
        with self.accelerator.autocast():
            output = self.model(mel)
        terms = self.objective.terms(mel, output)
        logged: dict[str, Tensor] = {}
        if self.adversary is not None and step >= self.adversary_start:
            set_learning_rate(self.adversary.optimizers, self.rate(step, self.adversary_start))
            logged |= self.adversary.discriminator_step(
                mel, output.mel.detach(), self.settings.max_grad_norm
            )
            terms |= self.adversary.generator_losses(mel, output.mel)
        loss = self.objective.total(terms)
        self.accelerator.backward(loss)
        if self.accelerator.sync_gradients:
            logged["gradient_norm"] = self.update()
        return {"loss": loss, **terms, **logged}

    def update(self) -> Tensor:
        """Move the autoencoder's weights, and their average; the norm of the gradient."""
        norm = self.accelerator.clip_grad_norm_(
            self.model.parameters(), self.settings.max_grad_norm
        )
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad()
        if self.average is not None:
            self.average.update_parameters(self.accelerator.unwrap_model(self.model))
        return norm

    def rate(self, step: int, start: int) -> float:
        """The learning rate's factor for what takes part from step `start` on."""
        return warmup_cosine(
            step - start,
            warmup=self.settings.warmup_steps,
            steps=self.settings.steps - start,
            final=self.settings.min_lr_ratio,
        )

    def validate(self) -> None:
        """Score the fixed clips; keep the weights as `last`, and as `best` if they are."""
        model = self.average or self.accelerator.unwrap_model(self.model)
        with uncompiled(self.compiled):
            metrics = self.validation.run(model, self.progress.step, self.tracker)
        self.tracker.log_metrics(self.progress.step, metrics)
        kept = self.average.module if self.average else self.model
        step = self.progress.step
        self.checkpoints.save_model(kept, "last", step)
        if metrics["validation/reconstruction"] < self.progress.best:
            self.progress.best, self.progress.best_step = metrics["validation/reconstruction"], step
            self.checkpoints.save_model(kept, "best", step)


def run_facts(model: SpeechAutoencoder, accelerator: Accelerator, steps: int) -> dict[str, Any]:
    """What run.json tells of a model and of where it is trained."""
    return {
        "steps": steps,
        "parameters": model.parameters_count,
        "floats_per_second": model.floats_per_second,
        "free_floats_per_second": model.free_floats_per_second,
        "latent_frames_per_second": model.latent_frames_per_second,
        "device": describe_device(accelerator.device),
        "processes": accelerator.num_processes,
        "precision": accelerator.mixed_precision,
    }
