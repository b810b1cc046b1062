"""What a step costs and what its terms were, gathered without waiting for the device."""

import math
import time

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from dcvae.audio.mel import SAMPLE_RATE
from experiments.training.checkpointing import Progress


class NonFiniteLossError(ValueError):
    """A loss or weight that became infinite or not a number: the first one, by name and step."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}: training ends, and what was kept before stays")


def check_weights(model: nn.Module, step: int) -> None:
    """NonFiniteLossError for weights from which no training could go on."""
    for name, weight in model.named_parameters():
        if not bool(torch.isfinite(weight).all()):
            raise NonFiniteLossError(f"{name} is not finite at step {step}")


class MetricsLogger:
    """Collects detached terms and times; `flush` reads them once an interval, over all ranks."""

    def __init__(self, accelerator: Accelerator) -> None:
        self.accelerator = accelerator
        self.terms: dict[str, list[tuple[int, Tensor]]] = {}
        self.speech: list[Tensor] = []  # samples a batch
        self.steps: set[int] = set()
        self.seconds = 0.0

    def start(self) -> None:
        if not self.speech:
            self.synchronise()
        self.began = time.perf_counter()

    def stop(self, step: int, terms: dict[str, Tensor], wave: Tensor) -> None:
        for name, term in terms.items():
            self.terms.setdefault(name, []).append((step, term.detach().float()))
        self.speech.append((wave != 0).sum())  # padding is no speech
        self.steps.add(step)  # several batches make one step where they accumulate
        self.seconds += time.perf_counter() - self.began

    def flush(self, progress: Progress) -> dict[str, float]:
        """The interval's means, and its time and speech added to the progress."""
        began = time.perf_counter()
        self.synchronise()
        self.seconds += time.perf_counter() - began
        metrics = {f"train/{name}": value for name, value in self.means().items()}
        samples = self.accelerator.reduce(torch.stack(self.speech).sum(), "sum")
        speech_seconds = float(samples) / SAMPLE_RATE
        metrics["train/speech_per_second"] = speech_seconds / self.seconds
        metrics["train/steps_per_second"] = len(self.steps) / self.seconds
        progress.seconds += self.seconds
        progress.speech_seconds += speech_seconds
        progress.speech_per_second = metrics["train/speech_per_second"]
        self.terms, self.speech, self.steps, self.seconds = {}, [], set(), 0.0
        return metrics

    def means(self) -> dict[str, float]:
        """Each term's mean over batches and ranks; NonFiniteLossError for one not finite."""
        means = {}
        broken: list[tuple[int, str, float]] = []
        for name, entries in self.terms.items():
            stacked = torch.stack([term for _, term in entries])
            values = self.accelerator.reduce(stacked, "mean").tolist()
            steps = [step for step, _ in entries]
            broken += [
                (step, name, value)
                for step, value in zip(steps, values, strict=True)
                if not math.isfinite(value)
            ]
            means[name] = sum(values) / len(values)
        if broken:
            # the sum comes first in the dict, but a term of it is what there is to mend
            step, name, value = min(broken, key=lambda one: (one[0], one[1] == "loss"))
            raise NonFiniteLossError(f"{name} became {value} at step {step}")
        return means

    def synchronise(self) -> None:
        if self.accelerator.device.type == "cuda":
            torch.cuda.synchronize(self.accelerator.device)
