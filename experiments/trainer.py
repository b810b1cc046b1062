"""The training loop. It knows weights and steps, and no ablation by name."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, skip_first_batches
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader
from tqdm import tqdm

from dcvae import LogMel, SpeechAutoencoder
from dcvae.data.provenance import Training
from experiments.accumulating import accumulate_batches
from experiments.adversary import Adversary
from experiments.averaging import averaged
from experiments.checkpointing import Checkpoints, Progress
from experiments.compiling import compile_in_place, uncompiled
from experiments.hardware import describe_device
from experiments.interruption import Interrupted, Interruption
from experiments.metering import Meter
from experiments.objective import Objective
from experiments.optim import match_precision, set_learning_rate, warmup_cosine
from experiments.processes import anywhere, draw_alike
from experiments.quickening import quicken
from experiments.recomputing import recompute_stages
from experiments.tracking import Tracker
from experiments.validation import Validation


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
        run_dir: Path,
        steps: int,
        warmup: int,
        final_lr: float,
        clip_norm: float,
        accumulate: int,
        ema: float | None,
        recompute: bool,
        compile: bool,  # noqa: A002
        log_every: int,
        validate_every: int,
        save_every: int,
        described: Mapping[str, Any] | None = None,
    ) -> None:
        """`warmup` counts steps, `final_lr` is the share of the learning rate that is left at the
        end, `clip_norm` bounds the gradient's norm. A step takes `accumulate` batches; the weights
        that are judged and kept are an average of that decay `ema`, if there is one; `recompute`
        and `compile` are for the autoencoder. Three count steps, and `described` is what the model
        cards tell of the run besides (dcvae.data.provenance.Training).
        """
        self.accelerator = accelerator
        accumulate_batches(accumulate)
        self.compiled = compile
        self.prepare_model(model, ema, recompute)
        self.loader = accelerator.prepare(loader)
        match_precision(optimizers, accelerator.mixed_precision)
        self.optimizers: list[Optimizer] = [accelerator.prepare(one) for one in optimizers]
        self.learners: list[nn.Module] = [self.model]
        if adversary is not None:
            adversary.prepare(accelerator)
            self.learners.append(adversary.critics)
        self.mel = LogMel().to(accelerator.device)
        self.objective, self.adversary = objective, adversary
        self.validation, self.tracker = validation, tracker
        self.steps, self.warmup, self.final_lr, self.clip_norm = steps, warmup, final_lr, clip_norm
        self.log_every, self.validate_every, self.save_every = log_every, validate_every, save_every
        training = Training.of({**(described or {}), **self.facts()})
        self.run_dir = run_dir
        self.checkpoints = Checkpoints(run_dir, accelerator, training)
        self.adversary_start = round(adversary.start * steps) if adversary else steps
        self.progress = Progress()

    def prepare_model(self, model: SpeechAutoencoder, ema: float | None, recompute: bool) -> None:
        """Put the model and its average on the device, where accelerate saves and restores both."""
        if self.accelerator.mixed_precision == "bf16":  # in float32 it can be slower
            model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        model.bottleneck.share_noise(self.accelerator.process_index, self.accelerator.num_processes)
        average = averaged(model, ema) if ema is not None else None  # while the model is bare
        self.compiled = self.compiled and compile_in_place(model, self.accelerator.device)
        if not self.compiled:
            quicken(model.backbone)
        if recompute:
            recompute_stages(model.backbone)
        self.model = self.accelerator.prepare(model)
        self.average = average and self.accelerator.prepare_model(average, evaluation_mode=True)

    def fit(self, interruption: Interruption | None = None) -> Progress:
        """Train to the last step, validate and save on the way, and say how far it came.

        Interrupted when that is asked for, after a state is saved.
        """
        self.progress = progress = self.checkpoints.load_state() or Progress()
        draw_alike()
        self.interruption = interruption or Interruption()
        self.tracker.rewind(progress.step)
        bar = tqdm(
            initial=progress.step,
            total=self.steps,
            unit="step",
            mininterval=1.0,  # seconds: a log file gets each refresh as a line
            disable=not self.accelerator.is_main_process,
        )
        with bar:
            self.train(Meter(self.accelerator), bar)
        return progress

    def train(self, meter: Meter, bar: tqdm) -> None:
        """Batch after batch, until the last step is taken."""
        progress = self.progress
        for wave in self.batches():
            if progress.step >= self.steps:
                break
            meter.start()
            terms = self.train_step(wave, progress.step)
            progress.batch += 1
            meter.stop(progress.step + 1, terms, wave)
            if self.accelerator.sync_gradients:  # the batch completed a step
                progress.step += 1
                bar.update()
                self.follow_up(meter, bar)

    def follow_up(self, meter: Meter, bar: tqdm) -> None:
        """After a step: a log, a validation and a saved state, each when it is due."""
        leave = self.asked_to_leave()
        save = leave or self.due(self.save_every)
        if save or self.due(self.log_every):  # a saved state owes the log nothing
            self.log(meter, bar)
        if self.due(self.validate_every):
            self.validate()
        if save:
            self.checkpoints.save_state(self.progress)
        if leave and self.progress.step < self.steps:
            raise Interrupted

    def asked_to_leave(self) -> bool:
        """Whether a signal came to some process, where they wait for each other anyway."""
        if self.accelerator.num_processes > 1 and not self.due(self.log_every):
            return False
        return anywhere(self.interruption.asked, self.accelerator)

    def log(self, meter: Meter, bar: tqdm) -> None:
        """The means since the last time, to the tracker and to the eye."""
        metrics = meter.flush(self.progress)
        self.tracker.log_metrics(self.progress.step, metrics)
        bar.set_postfix_str(
            f"mel L1 {metrics['train/reconstruction']:.3f},"
            f" {metrics['train/speech_per_second']:.0f}x real time"
        )

    def facts(self) -> dict[str, Any]:
        """What run.json tells of the model and of where it is trained."""
        model = self.accelerator.unwrap_model(self.model)
        return {
            "steps": self.steps,
            "parameters": model.parameters_count,
            "floats_per_second": model.floats_per_second,
            "free_floats_per_second": model.free_floats_per_second,
            "latent_frames_per_second": model.latent_frames_per_second,
            "device": describe_device(self.accelerator.device),
            "processes": self.accelerator.num_processes,
            "precision": self.accelerator.mixed_precision,
        }

    def due(self, interval: int) -> bool:
        """Whether this step ends an interval; the last step ends every one."""
        return self.progress.step % interval == 0 or self.progress.step == self.steps

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
            return self.learn(self.mel(wave), step)

    def learn(self, mel: Tensor, step: int) -> dict[str, Tensor]:
        """Log-mel [B, M, F] of one batch -> all terms, after their gradient is taken."""
        set_learning_rate(self.optimizers, self.rate(step, 0))
        with self.accelerator.autocast():
            output = self.model(mel)
        terms = self.objective.terms(mel, output)
        logged: dict[str, Tensor] = {}
        if self.adversary is not None and step >= self.adversary_start:
            set_learning_rate(self.adversary.optimizers, self.rate(step, self.adversary_start))
            logged |= self.adversary.learn(mel, output.mel.detach(), self.clip_norm)
            terms |= self.adversary.judge(mel, output.mel)
        loss = self.objective.total(terms)
        self.accelerator.backward(loss)
        if self.accelerator.sync_gradients:
            logged["gradient_norm"] = self.update()
        return {"loss": loss, **terms, **logged}

    def update(self) -> Tensor:
        """Move the autoencoder's weights, and their average; the norm of the gradient."""
        norm = self.accelerator.clip_grad_norm_(self.model.parameters(), self.clip_norm)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad()
        if self.average is not None:
            self.average.update_parameters(self.accelerator.unwrap_model(self.model))
        return norm

    def rate(self, step: int, start: int) -> float:
        """The learning rate's factor for what takes part from step `start` on."""
        return warmup_cosine(
            step - start, warmup=self.warmup, steps=self.steps - start, final=self.final_lr
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
