"""Score one run on the test set, and write its table, its summary and its examples."""

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from analysis.quality import VERSIONS, mel_l1
from analysis.reconstruct import (
    LATENT_NOISE,
    Sample,
    decode,
    encode,
    latent_noise,
    latent_std,
    untrained_twin,
    vocode,
)
from analysis.runs import Run
from analysis.table import Row, describe, make_table, write_table
from analysis.testset import Pending, TestSet, load_test_set, select, submit, worker_pool
from dcvae import SpeechAutoencoder
from dcvae.atomic import replacing, replacing_folder
from dcvae.audio import write_audio
from dcvae.mel import SAMPLE_RATE
from dcvae.vocoders import Vocoder, load_vocoder

EXAMPLES = 6  # clips kept as audio
EXAMPLE_SECONDS = (1.5, 6.0)  # so long, where there are such: a listening page stays small
WAVE_METRICS = ("pesq_wb", "stoi")
CONDITIONS = {  # every metric that a clip has a row of, by condition
    "ceiling": WAVE_METRICS,
    "reconstruction": ("mel_l1", *WAVE_METRICS),
    "untrained": ("mel_l1",),
    **{f"latent_noise_{sigma}": ("mel_l1",) for sigma in LATENT_NOISE},
}


class Scorer:
    """Scores runs one after another; what they share is computed once. Use it in a with block."""

    def __init__(self, clips: int, device: torch.device) -> None:
        self.clips = clips
        self.device = device
        self.threads = torch.get_num_threads()
        self.pool = worker_pool()
        self.shared: dict[str, tuple[TestSet, Vocoder]] = {}
        self.seconds: dict[str, float] = {}

    def __enter__(self) -> Self:
        # The pool has the other cores: threads that wait for a busy core cost more than they bring.
        torch.set_num_threads(max(1, self.threads // 2))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        torch.set_num_threads(self.threads)
        self.pool.shutdown(wait=True, cancel_futures=True)

    def score(self, run: Run) -> str:
        """Measure the run, write its analysis folder and return its means in one line."""
        self.seconds = {}
        model = SpeechAutoencoder.from_pretrained(run.checkpoint)
        with self.timed("test_set"):
            test_set, vocoder = self.test_set(run)
        progress = tqdm(
            total=4 * len(test_set.groups), desc=run.name, unit="step", leave=False, disable=None
        )
        with progress:
            mels, rows = self.run_model(model, test_set, progress)
            rows += self.run_untrained(model, test_set, progress)
            waves, scores = self.run_vocoder(vocoder, mels, test_set, progress)
            with self.timed("waiting_for_pool"):
                rows += wave_rows("ceiling", test_set.ceiling_scores)
                rows += wave_rows("reconstruction", scores)
            progress.update(len(test_set.groups))
        rows += failed_rows(test_set.failed)
        table = make_table(run.name, run.ablation, run.seed, rows)
        with self.timed("writing"):
            write_examples(run, test_set, mels, waves)
            write_table(run.analysis / "table.csv", table)
        self.write_summary(run)
        return describe(table)

    def test_set(self, run: Run) -> tuple[TestSet, Vocoder]:
        """The clips and the vocoder of the run, shared with every run that has the same."""
        key = json.dumps([str(run.manifest.resolve()), run.vocoder], sort_keys=True)
        if key not in self.shared:
            vocoder = load_vocoder(**run.vocoder)
            if isinstance(vocoder, nn.Module):
                vocoder.to(self.device)
            clips = select(run.manifest, self.clips)
            self.shared[key] = load_test_set(clips, vocoder, self.pool, self.device), vocoder
        return self.shared[key]

    def run_model(
        self, model: SpeechAutoencoder, test_set: TestSet, progress: tqdm
    ) -> tuple[dict[str, Tensor], list[Row]]:
        """Reconstructed mels [M, F] by clip, and mel L1 with and without latent noise."""
        groups, device = test_set.groups, self.device
        with self.timed("autoencoder"):
            model.to(device)
            latents = [encode(model, group, device) for group in groups]
            std = latent_std(latents, groups, model.compression)
            mels: dict[str, Tensor] = {}
            rows: list[Row] = []
            for clean, group in zip(latents, groups, strict=True):
                noise = std * latent_noise(clean, group)
                for sigma in (0.0, *LATENT_NOISE):
                    decoded = decode(model, clean + sigma * noise, group, device)
                    condition = f"latent_noise_{sigma}" if sigma else "reconstruction"
                    rows += mel_rows(condition, group, decoded)
                    if not sigma:
                        mels |= {one.name: mel for one, mel in zip(group, decoded, strict=True)}
                progress.update()
        return mels, rows

    def run_untrained(
        self, model: SpeechAutoencoder, test_set: TestSet, progress: tqdm
    ) -> list[Row]:
        """Mel L1 of the same architecture with random weights: what training is worth."""
        rows: list[Row] = []
        with self.timed("untrained"):
            twin = untrained_twin(model).to(self.device)
            for group in test_set.groups:
                latents = encode(twin, group, self.device)
                rows += mel_rows("untrained", group, decode(twin, latents, group, self.device))
                progress.update()
        return rows

    def run_vocoder(
        self, vocoder: Vocoder, mels: dict[str, Tensor], test_set: TestSet, progress: tqdm
    ) -> tuple[dict[str, Tensor], Pending]:
        """Waves [F * HOP] of the reconstructed mels by clip; the pool scores them meanwhile."""
        waves: dict[str, Tensor] = {}
        scores: Pending = {}
        with self.timed("vocoder"):
            for group in test_set.groups:
                vocoded = vocode(vocoder, group, [mels[one.name] for one in group], self.device)
                waves |= {one.name: wave for one, wave in zip(group, vocoded, strict=True)}
                scores |= submit(self.pool, group, vocoded)
                progress.update()
        return waves, scores

    def summary(self, run: Run) -> dict[str, Any]:
        """What the scores depend on: equal for two scorings means equal tables."""
        return {
            "checkpoint_sha256": run.checkpoint_sha256(),
            "clips": [clip.name for clip in select(run.manifest, self.clips)],
            "vocoder": run.vocoder,
            "versions": VERSIONS,
        }

    def is_scored(self, run: Run) -> bool:
        """Whether the run's table is there, of the same checkpoint, clips, vocoder and metrics."""
        try:
            written = json.loads((run.analysis / "analysis.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        if not (run.analysis / "table.csv").is_file() or not isinstance(written, dict):
            return False
        return all(written.get(key) == value for key, value in self.summary(run).items())

    def write_summary(self, run: Run) -> None:
        """Last of all: without it the folder does not count as scored."""
        seconds = {name: round(value, 3) for name, value in self.seconds.items()}
        summary = {"checkpoint": run.checkpoint.name, **self.summary(run), "seconds": seconds}
        with replacing(run.analysis / "analysis.json") as temporary:
            temporary.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Note the wall seconds of a part of the work."""
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start


def mel_rows(condition: str, samples: list[Sample], mels: list[Tensor]) -> list[Row]:
    """Mel L1 of each mel [M, F] against its sample's own."""
    return [
        Row(sample.name, condition, "mel_l1", mel_l1(sample.mel.numpy(), mel.numpy()))
        for sample, mel in zip(samples, mels, strict=True)
    ]


def wave_rows(condition: str, pending: Pending) -> list[Row]:
    """Wait for the pool's scores and give a row for each."""
    return [
        Row(clip, condition, metric, value)
        for clip, future in pending.items()
        for metric, value in future.result().items()
    ]


def failed_rows(clips: list[str]) -> list[Row]:
    """NaN in every place of a clip that could not be read, so that it is counted."""
    return [
        Row(clip, condition, metric, math.nan)
        for clip in clips
        for condition, metrics in CONDITIONS.items()
        for metric in metrics
    ]


def choose_examples(samples: list[Sample]) -> list[Sample]:
    """The clips to listen to: the first of the selection, those of a handy length before others."""
    shortest, longest = EXAMPLE_SECONDS
    seconds = {one.name: len(one.wave) / SAMPLE_RATE for one in samples}
    audible = [one for one in samples if bool(one.wave.any())]
    return sorted(audible, key=lambda one: not shortest <= seconds[one.name] <= longest)[:EXAMPLES]


def write_examples(
    run: Run, test_set: TestSet, mels: dict[str, Tensor], waves: dict[str, Tensor]
) -> None:
    """A folder for each example: three waves and both mels; a broken output is left out."""
    with replacing_folder(run.analysis / "examples") as folder:
        for sample in choose_examples(test_set.samples):
            mel, wave = mels[sample.name], waves[sample.name]
            if not bool(torch.isfinite(mel).all() and torch.isfinite(wave).all()):
                continue
            place = folder / sample.name
            place.mkdir()
            write_audio(place / "original.wav", sample.wave)
            write_audio(place / "ceiling.wav", test_set.ceilings[sample.name])
            write_audio(place / "reconstruction.wav", wave)
            np.savez_compressed(
                place / "mel.npz", original=sample.mel.numpy(), reconstruction=mel.numpy()
            )
