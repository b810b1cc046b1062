"""What evaluators are given: the system under study, and batches of test clips."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from analysis.batching import Sample, read_batches
from analysis.outputs.table import Row
from analysis.resources import Resources
from analysis.runs import ScoredRun
from analysis.stores.reference_store import References
from analysis.stores.result_store import to_json, to_row
from analysis.stores.tensor_cache import TensorCache
from analysis.systems.autoencoder import vocode
from analysis.systems.system import LatentSystem, Outputs, System
from dcvae.data.manifest import Clip, Manifest, read_manifest
from dcvae.vocoders import Vocoder

TEST, UNSEEN = "test", "unseen"  # the splits that are scored
SHORTEST = 1.0  # seconds of a clip that is


@dataclass
class EvalContext:
    """One system under study, with what is shared with those studied beside it."""

    run: ScoredRun
    system: System
    vocoder: Vocoder  # of the ceiling, on the tools' device
    clips: list[Clip]  # the selection of the test split, the same for every run on the manifest
    resources: Resources
    cache: TensorCache
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
    def latent_system(self) -> LatentSystem:
        """The system, for evaluators that need latents: they are asked of no other."""
        assert isinstance(self.system, LatentSystem)
        return self.system

    def batches(self, clips: Sequence[Clip]) -> Iterator["Batch"]:
        """The readable ones of these clips in batches; the others go to `unreadable`."""
        for samples in read_batches(clips, self.unreadable, self.resources.frames_at_once):
            yield Batch(samples, self)

    def decode(self, samples: Sequence[Sample], latents: Tensor) -> Outputs:
        """Latents [B, C, H, L] of the samples of one batch."""
        return self.latent_system.decode(latents, [sample.frames for sample in samples])

    def kept(
        self, names: Sequence[str], what: str, compute: Callable[[], list[Tensor]]
    ) -> list[Tensor]:
        """The run's latents, mels or waves of these clips, computed once for all evaluators."""
        return self.cache.get(f"{self.run.name} {what}", names, compute)

    def rows_once(
        self, kind: str, clips: Sequence[str], compute: Callable[[], Sequence[Row]]
    ) -> list[Row]:
        """Rows of these clips that no run changes, clip after clip: computed once for all runs."""

        def by_clip() -> list[list[Any]]:
            rows = compute()
            return [[to_json(row) for row in rows if row.clip == clip] for clip in clips]

        values = self.references.once(kind, clips, by_clip)
        return [to_row(row) for rows in values for row in rows]


@dataclass
class Batch:
    """Clips of one padded length, and what the system makes of them, computed when asked for."""

    samples: list[Sample]
    context: EvalContext

    @property
    def names(self) -> list[str]:
        return [sample.name for sample in self.samples]

    @property
    def frames(self) -> list[int]:
        """Mel frames of each."""
        return [sample.frames for sample in self.samples]

    @cached_property
    def latents(self) -> Tensor:
        """Clean latents [B, C, H, padded L]."""
        encode = self.context.latent_system.encode
        frames = self.samples[0].padded_frames
        return torch.stack(
            self.context.kept(self.names, "latents", lambda: list(encode(self.samples, frames)))
        )

    @cached_property
    def clip_latents(self) -> list[Tensor]:
        """Each clip's own clean latents [C, H, L], without the padding."""
        system = self.context.latent_system
        pairs = zip(self.latents, self.frames, strict=True)
        return [row[..., : system.latent_frames(frames)] for row, frames in pairs]

    @cached_property
    def outputs(self) -> Outputs:
        """The clips coded and decoded; their mels and waves are kept for other evaluators."""
        system = self.context.system
        if isinstance(system, LatentSystem):
            outputs = system.decode_later(lambda: self.latents, self.frames)
        else:
            outputs = system.reconstruct(self.samples)
        outputs.keep = partial(self.context.kept, self.names)
        return outputs

    @property
    def mels(self) -> list[Tensor]:
        """Reconstructed mels [M, F]."""
        return self.outputs.mels

    @property
    def waves(self) -> list[Tensor]:
        """Reconstructed waves [F * HOP]."""
        return self.outputs.waves

    @cached_property
    def ceilings(self) -> list[Tensor]:
        """The original mels through the vocoder, [F * HOP]: no model here can do better."""
        context = self.context
        mels = [sample.mel for sample in self.samples]
        return context.cache.get(
            "ceiling", self.names, lambda: vocode(mels, context.vocoder, context.resources.device)
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
