"""The fixed test clips with their originals and ceilings: computed once for any number of runs."""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from analysis.quality import one_thread, wave_scores
from analysis.reconstruct import Sample, batches, read_samples, vocode
from dcvae.manifest import Clip, ManifestError, read_manifest, select_clips
from dcvae.mel import SAMPLE_RATE
from dcvae.vocoders import Vocoder

SHORTEST = 1.0  # seconds of a test clip
SPLIT = "test"

Pending = dict[str, "Future[dict[str, float]]"]  # the scores to come, by clip


@dataclass(frozen=True)
class TestSet:
    """Readable clips in batches, unreadable ones by name, the vocoder's ceiling of each."""

    __test__ = False  # no test class, whatever pytest makes of its name

    names: list[str]  # of all clips, in the order of their selection
    groups: list[list[Sample]]
    failed: list[str]
    ceilings: dict[str, Tensor]  # original mel through the vocoder, [F * HOP]
    ceiling_scores: Pending

    @property
    def samples(self) -> list[Sample]:
        """In the order of the selection."""
        by_name = {sample.name: sample for group in self.groups for sample in group}
        return [by_name[name] for name in self.names if name in by_name]


def worker_pool() -> ProcessPoolExecutor:
    """One process a core. Spawned, since a fork of a process with torch's threads may hang."""
    return ProcessPoolExecutor(
        os.cpu_count(), mp_context=get_context("spawn"), initializer=one_thread
    )


def submit(
    pool: ProcessPoolExecutor, samples: Iterable[Sample], waves: Iterable[Tensor]
) -> Pending:
    """Have the pool compare each wave [F * HOP] with its original."""
    return {
        sample.name: pool.submit(
            wave_scores, sample.wave.numpy(), wave.contiguous().numpy(), SAMPLE_RATE
        )
        for sample, wave in zip(samples, waves, strict=True)
    }


def select(manifest: Path, count: int) -> list[Clip]:
    """The clips that every run on this manifest is scored on."""
    return select_clips(read_manifest(manifest), SPLIT, count, SHORTEST)


def load_test_set(
    clips: Sequence[Clip], vocoder: Vocoder, pool: ProcessPoolExecutor, device: torch.device
) -> TestSet:
    """Read the clips, pass their mels through the vocoder and start scoring the result.

    An unreadable clip is counted as failed; ManifestError where not one can be read.
    """
    read = dict(
        tqdm(read_samples(clips), "test clips", len(clips), leave=False, disable=None, unit="clip")
    )
    groups = list(batches([sample for sample in read.values() if sample]))
    if not groups:
        raise ManifestError(
            f"none of the {len(clips)} test clips can be read, the first being {clips[0].path}:"
            " has the corpus moved?"
        )
    ceilings: dict[str, Tensor] = {}
    scores: Pending = {}
    for group in tqdm(groups, "ceiling", leave=False, disable=None, unit="batch"):
        waves = vocode(vocoder, group, [sample.mel for sample in group], device)
        ceilings |= {sample.name: wave for sample, wave in zip(group, waves, strict=True)}
        scores |= submit(pool, group, waves)
    return TestSet(
        names=[clip.name for clip in clips],
        groups=groups,
        failed=[clip.name for clip, sample in read.items() if not sample],
        ceilings=ceilings,
        ceiling_scores=scores,
    )
