"""What a step costs and what its terms were, gathered without waiting for the device."""

import math
import time

import torch
from torch import Tensor

from dcvae.mel import SAMPLE_RATE
from experiments.checkpointing import Progress


class NonFiniteLossError(ValueError):
    """A loss that became infinite or not a number: the first one, by name and step."""


class Meter:
    """Collects detached terms and times; `flush` reads them once an interval."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.terms: list[tuple[int, dict[str, Tensor]]] = []
        self.speech: list[Tensor] = []  # samples a step
        self.seconds = 0.0

    def start(self) -> None:
        if not self.terms:
            self.synchronise()
        self.began = time.perf_counter()

    def stop(self, step: int, terms: dict[str, Tensor], wave: Tensor) -> None:
        self.terms.append((step, {name: term.detach() for name, term in terms.items()}))
        self.speech.append((wave != 0).sum())  # padding is no speech
        self.seconds += time.perf_counter() - self.began

    def flush(self, progress: Progress) -> dict[str, float]:
        """The interval's means, and its time and speech added to the progress."""
        began = time.perf_counter()
        self.synchronise()
        self.seconds += time.perf_counter() - began
        sums: dict[str, list[float]] = {}
        for step, terms in self.terms:
            for name, term in terms.items():
                value = float(term)
                if not math.isfinite(value):
                    raise NonFiniteLossError(f"{name} became {value} at step {step}: training ends")
                sums.setdefault(f"train/{name}", []).append(value)
        speech_seconds = float(torch.stack(self.speech).sum()) / SAMPLE_RATE
        metrics = {name: sum(values) / len(values) for name, values in sums.items()}
        metrics["train/speech_per_second"] = speech_seconds / self.seconds
        metrics["train/steps_per_second"] = len(self.terms) / self.seconds
        progress.seconds += self.seconds
        progress.speech_seconds += speech_seconds
        progress.speech_per_second = metrics["train/speech_per_second"]
        self.terms, self.speech, self.seconds = [], [], 0.0
        return metrics

    def synchronise(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
