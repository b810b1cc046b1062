"""What the evaluators share for the whole command: device, worker pool, listening models."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Self

import torch

from analysis.asr.models import load_recogniser
from analysis.asr.recogniser import Recogniser
from analysis.batching import ALONE, FRAMES_AT_ONCE
from analysis.evaluators.speaker_encoder import VoiceEncoder, load_voice_encoder
from analysis.metrics.worker import one_thread
from dcvae.utils.threads import Result, on_one_thread, torch_threads
from dcvae.utils.workers import worker_pool

PRELOAD = ("analysis.metrics.perceptual", "pesq", "pystoi")


@dataclass(frozen=True)
class Options:
    """What the user chooses beyond runs and clips."""

    whisper: str = "auto"  # which recogniser
    robustness_clips: int = 40  # on how many clips noisy input and round trips are tried
    budget: str = "quick"  # of the model that is trained on the latents
    word_clips: int = 200  # on how many test clips words are recognised
    unseen_clips: int = 40  # how many of unseen voices are scored


class Resources:
    """Made once and used by every run, in a with block; each is had when first asked for."""

    def __init__(self, device: torch.device, options: Options) -> None:
        self.device = device
        self.options = options
        self.opened = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.opened.__exit__(kind, error, trace)

    @property
    def frames_at_once(self) -> int:
        """Mel frames of a batch of clips, of which there is one at least."""
        return ALONE if self.device.type == "cpu" else FRAMES_AT_ONCE

    @cached_property
    def pool(self) -> ProcessPoolExecutor:
        """One process a core; OSError, as the with block ends, where the system ended one."""
        return self.opened.enter_context(worker_pool(os.cpu_count() or 1, PRELOAD, one_thread))

    def run_all(
        self, function: Callable[..., Result], jobs: Sequence[tuple[object, ...]]
    ) -> list[Result]:
        """The function's result for the arguments of each job.

        On a CPU the jobs run side by side in the pool, one thread each; else one after another.
        """
        if self.device.type != "cpu":
            return [function(*job) for job in jobs]
        futures = [self.pool.submit(on_one_thread, function, *job) for job in jobs]
        return [future.result() for future in futures]

    @cached_property
    def recogniser(self) -> Recogniser:
        """The speech recogniser that the options name; ValueError where it cannot be had."""
        return load_recogniser(self.options.whisper, self.device)

    @cached_property
    def voice_encoder(self) -> VoiceEncoder:
        """The speaker encoder; ImportError where its package is missing."""
        return load_voice_encoder(self.device)


def beside_the_pool() -> AbstractContextManager[None]:
    """Leave cores to the pool: threads that wait for a busy core cost more than they bring."""
    return torch_threads(max(1, torch.get_num_threads() // 2))
