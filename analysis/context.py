"""What evaluators are given: a run's model and vocoder, and batches of test clips."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from analysis.batching import Sample, crop, pad_mels, read_batches
from analysis.outputs.table import Row
from analysis.resources import Resources
from analysis.runs import TrainedRun
from analysis.stores.reference_store import References
from analysis.stores.result_store import to_json, to_row
from analysis.stores.wave_cache import WaveCache
from dcvae import SpeechAutoencoder
from dcvae.audio.mel import HOP
from dcvae.data.manifest import Clip, Manifest, read_manifest
from dcvae.vocoders import Vocoder

TEST, UNSEEN = "test", "unseen"  # the splits that are scored
SHORTEST = 1.0  # seconds of a clip that is
UNTRAINED_SEED = 0


@dataclass
class EvalContext:
    """One run under study, with what is shared with the runs studied beside it."""

    run: TrainedRun
    model: SpeechAutoencoder  # in eval mode, on the tools' device
    vocoder: Vocoder
    clips: list[Clip]  # the selection of the test split, the same for every run on the manifest
    resources: Resources
    waves: WaveCache
    references: References = field(default_factory=References)
    unreadable: dict[str, str] = field(default_factory=dict)  # reason by the clip's name
    facts: dict[str, Any] = field(default_factory=dict)  # that the evaluator at work notes
    probe: Any = None  # the run's latent_lm.probe.Probe, once an evaluator has asked for it

    @cached_property
    def manifest(self) -> Manifest:
        """What the run was trained on, and more."""
        return read_manifest(self.run.manifest)

    def split(self, name: str) -> Manifest:
        """All clips of one split that are long enough to be scored."""
        return self.manifest.where(name, SHORTEST)

    @property
    def architecture(self) -> str:
        """The model's sizes, as the name of what depends on them and on no trained weights."""
        return json.dumps(self.model.config, sort_keys=True, default=str)

    def untrained(self) -> SpeechAutoencoder:
        """The run's architecture with random weights, the same each time, in eval mode."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(UNTRAINED_SEED)
            model = SpeechAutoencoder(**self.model.config)
        return model.eval().to(self.resources.device)

    def batches(self, clips: Sequence[Clip]) -> Iterator["Batch"]:
        """The readable ones of these clips in batches; the others go to `unreadable`."""
        for samples in read_batches(clips, self.unreadable):
            yield Batch(samples, self)

    @torch.no_grad()
    def encode(self, samples: Sequence[Sample], mels: Sequence[Tensor]) -> Tensor:
        """A mel [M, F] for each sample of one batch to clean latents [B, C, H, L], on the CPU."""
        return self.model.encode(pad_mels(samples, mels).to(self.resources.device)).clean.cpu()

    @torch.no_grad()
    def decode(self, samples: Sequence[Sample], latents: Tensor) -> list[Tensor]:
        """Latents [B, C, H, L] of one batch to a mel [M, F] for each sample."""
        frames = samples[0].padded_frames
        return crop(self.model.decode(latents.to(self.resources.device), frames), samples)

    @torch.no_grad()
    def vocode(self, samples: Sequence[Sample], mels: Sequence[Tensor]) -> list[Tensor]:
        """A mel [M, F] for each sample of one batch to a wave [F * HOP] each."""
        return crop(self.vocoder(pad_mels(samples, mels).to(self.resources.device)), samples, HOP)

    def rows_once(
        self, kind: str, clips: Sequence[str], compute: Callable[[], Sequence[Row]]
    ) -> list[Row]:
        """Rows of these clips that no run changes, clip after clip: computed once for all runs."""

        def by_clip() -> list[list[Any]]:
            rows = compute()
            return [[to_json(row) for row in rows if row.clip == clip] for clip in clips]

        values = self.references.once(kind, clips, by_clip)
        return [to_row(row) for rows in values for row in rows]

    def latent_frames(self, sample: Sample) -> int:
        """How many latent frames of a batch's row are the sample's own, and not padding."""
        return -(-sample.frames // self.model.compression)


@dataclass
class Batch:
    """Clips of one padded length, and what the run makes of them, computed when asked for."""

    samples: list[Sample]
    context: EvalContext

    @property
    def names(self) -> list[str]:
        return [sample.name for sample in self.samples]

    @cached_property
    def latents(self) -> Tensor:
        """Clean latents [B, C, H, padded L]."""
        return self.context.encode(self.samples, [sample.mel for sample in self.samples])

    @cached_property
    def clip_latents(self) -> list[Tensor]:
        """Each clip's own clean latents [C, H, L], without the padding."""
        pairs = zip(self.latents, self.samples, strict=True)
        return [row[..., : self.context.latent_frames(sample)] for row, sample in pairs]

    @cached_property
    def mels(self) -> list[Tensor]:
        """Reconstructed mels [M, F]."""
        return self.context.decode(self.samples, self.latents)

    @cached_property
    def waves(self) -> list[Tensor]:
        """Reconstructed waves [F * HOP]."""
        return self.context.waves.get(
            self.context.run.name,
            self.names,
            lambda: self.context.vocode(self.samples, self.mels),
        )

    @cached_property
    def ceilings(self) -> list[Tensor]:
        """The original mels through the vocoder, [F * HOP]: no model here can do better."""
        return self.context.waves.get(
            "ceiling",
            self.names,
            lambda: self.context.vocode(self.samples, [one.mel for one in self.samples]),
        )


class CountedBatches:
    """Passes batches on, with a progress bar, and counts the seconds of speech in them."""

    def __init__(self, context: EvalContext, clips: Sequence[Clip], title: str) -> None:
        self.context = context
        self.clips = clips
        self.title = title
        self.seconds = 0.0

    def batches(self) -> Iterator[Batch]:
        """The batches of these clips, one after another."""
        progress = tqdm(
            total=len(self.clips),
            desc=f"{self.context.run.name} {self.title}",
            unit="clip",
            leave=False,
            disable=None,
        )
        with progress:
            for batch in self.context.batches(self.clips):
                yield batch
                self.seconds += sum(sample.seconds for sample in batch.samples)
                progress.update(len(batch.samples))
