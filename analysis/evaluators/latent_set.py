"""The clean latents of a set of clips, as the measures of the latent space look at them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from analysis.metrics.probes import recording_groups, standardise
from analysis.metrics.score import Array, Unmeasurable
from dcvae.data.manifest import Clip

START = 8  # latent frames of each clip that are compared between clips, 1.5 s at 16x compression


@dataclass(frozen=True)
class Labelled:
    """The clips that share their label of one kind with another clip, and why others are not in.

    A label that one clip alone has can neither be learned nor found beside it.
    """

    names: list[str]
    points: Array  # [N, D], see LatentSet.points
    labels: Array  # [N]
    groups: Array  # [N], see recording_groups
    left_out: dict[str, str]  # reason by the clip's name


@dataclass(frozen=True)
class LatentSet:
    """Finite clean latents of some clips; D = C x H is the size of one latent frame.

    They are held, not streamed: a clip of ten seconds takes 17 kB at the published size.
    """

    clips: list[Clip]
    sequences: list[Array]  # [C, H, L], float32
    shape: tuple[int, int]  # C, H

    @property
    def names(self) -> list[str]:
        return [clip.name for clip in self.clips]

    @property
    def size(self) -> int:
        """D."""
        return self.shape[0] * self.shape[1]

    def flat(self, clip: int) -> Array:
        """The latents [D, L] of one clip, in double precision."""
        return self.sequences[clip].reshape(self.size, -1).astype(float)

    @cached_property
    def frames(self) -> Array:
        """The latent frames of all clips [frames, D], clip after clip."""
        if not self.clips:
            raise Unmeasurable("no clip has finite latents")
        return np.concatenate([self.flat(clip).T for clip in range(len(self.clips))])

    @cached_property
    def covariance(self) -> Array:
        """Of the frames [D, D]; Unmeasurable where they are no more than the dimensions."""
        if len(self.frames) <= self.size:
            raise Unmeasurable(f"{len(self.frames)} frames are too few for {self.size} dimensions")
        centred = self.frames - self.frames.mean(axis=0)
        covariance: Array = centred.T @ centred / len(centred)
        return covariance

    @property
    def variances(self) -> Array:
        """Of each channel and bin over all frames [C, H]."""
        return self.frames.var(axis=0).reshape(self.shape)

    @cached_property
    def starts(self) -> Array:
        """The first START latent frames of each clip that has as many [N, D * START]."""
        long = [one[..., :START].ravel() for one in self.sequences if one.shape[-1] >= START]
        return np.array(long, dtype=float).reshape(len(long), self.size * START)

    @cached_property
    def points(self) -> Array:
        """Each clip's mean latent frame [N, D], standardised over the clips."""
        means = [self.flat(clip).mean(axis=1) for clip in range(len(self.clips))]
        return standardise(np.array(means).reshape(len(means), self.size))

    def frames_of(self, kind: str) -> tuple[Array, Array]:
        """The frames [N, D] of the clips whose label of this kind is known, and the labels [N]."""
        lengths = [one.shape[-1] for one in self.sequences]
        labels = np.repeat(labels_of(self.clips, kind), lengths)
        if not (labels != "").any():
            raise Unmeasurable(f"no {kind} is known")
        return self.frames[labels != ""], labels[labels != ""]


def labels_of(clips: Sequence[Clip], kind: str) -> Array:
    """The clips' labels [N] of one kind, "speaker" or "language"; "" where unknown."""
    return np.array([getattr(clip, kind) for clip in clips], dtype=str)


def labelled(every: Sequence[Clip], points: Array, kind: str) -> Labelled:
    """Those of N clips with points [N, D] that can be compared by their label of this kind."""
    labels = labels_of(every, kind)
    count = Counter(label for label in labels.tolist() if label)
    shared = {label for label, clips in count.items() if clips > 1}
    used = np.array([len(shared) > 1 and label in shared for label in labels], dtype=bool)
    left_out = {}
    for clip, label, one in zip(every, labels.tolist(), used, strict=True):
        if not label:
            left_out[clip.name] = f"its {kind} is unknown"
        elif label not in shared:
            left_out[clip.name] = f"the only clip of its {kind}"
        elif not one:
            left_out[clip.name] = f"a single {kind}, nothing to tell apart"
    clips = [clip for clip, one in zip(every, used, strict=True) if one]
    names = [clip.name for clip in clips]
    folders = [Path(clip.key or clip.path).parent.as_posix() for clip in clips]
    groups = recording_groups(labels[used].tolist(), folders, names)
    return Labelled(names, points[used], labels[used], groups, left_out)
