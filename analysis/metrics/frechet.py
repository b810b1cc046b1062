"""The Frechet distance between two sets of vectors, each taken for a Gaussian."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analysis.metrics.score import Array, Unmeasurable


@dataclass(frozen=True)
class Moments:
    """What a Gaussian is fitted from: the number of rows [N, D], their sum and products."""

    count: int
    total: Array  # [D]
    products: Array  # [D, D]

    @classmethod
    def of(cls, rows: Array) -> "Moments":
        return cls(len(rows), rows.sum(axis=0), rows.T @ rows)

    def without(self, other: "Moments") -> "Moments":
        """Those of the other rows alone."""
        return Moments(
            self.count - other.count, self.total - other.total, self.products - other.products
        )

    @cached_property
    def mean(self) -> Array:
        average: Array = self.total / self.count
        return average

    @cached_property
    def covariance(self) -> Array:
        """Unbiased [D, D]."""
        about_mean: Array = self.products - self.count * np.outer(self.mean, self.mean)
        return about_mean / (self.count - 1)

    @cached_property
    def root(self) -> Array:
        """The symmetric square root of the covariance [D, D]."""
        values, vectors = np.linalg.eigh(self.covariance)
        root: Array = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
        return root


def frechet_distance(first: Array, second: Array) -> float:
    """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) of the rows of [N, D] and [M, D].

    m are the means and S the unbiased covariances. The last trace is the sum of the singular
    values of S1^(1/2) S2^(1/2), whose symmetric roots are real whatever the rank: no complex
    number arises. In squared units of the vectors, so it compares only within one space, and
    it is biased upwards for few rows: compare at equal numbers. Unmeasurable with fewer than two
    rows, other sizes or a value that is not finite. Source: Heusel et al., arXiv 1706.08500.
    """
    return distance(*map(Moments.of, centred(first, second)))


def frechet_by_clip(first: Sequence[Array], second: Sequence[Array]) -> list[float]:
    """Jackknife pseudo-values of the Frechet distance, one a clip.

    `first` and `second` are N clips' rows [L, D], of the same clips. The i-th value is
    N d - (N - 1) d(without clip i). Their mean is the distance less its bias of order 1 / N, and
    their spread over clips gives its standard error (Quenouille, 1956; Tukey, 1958), so that it
    is compared between systems as a mean over clips is. Unmeasurable as `frechet_distance`, and
    with fewer than two clips.
    """
    if len(first) < 2:
        raise Unmeasurable(f"{len(first)} clips, fewer than two")
    parts = []
    together = centred(np.concatenate(first), np.concatenate(second))
    for clips, rows in zip((first, second), together, strict=True):
        ends = np.cumsum([len(one) for one in clips])[:-1]
        parts.append([Moments.of(one) for one in np.split(rows, ends)])
    totals = [sum_of(moments) for moments in parts]
    count = len(first)
    whole = distance(*totals)
    return [
        count * whole
        - (count - 1)
        * distance(*(total.without(one) for total, one in zip(totals, pair, strict=True)))
        for pair in zip(*parts, strict=True)
    ]


def sum_of(parts: Sequence[Moments]) -> Moments:
    """The moments of all rows together."""
    return Moments(
        sum(one.count for one in parts),
        np.sum([one.total for one in parts], axis=0),
        np.sum([one.products for one in parts], axis=0),
    )


def centred(first: Array, second: Array) -> tuple[Array, Array]:
    """Both in double precision, moved alike to the origin, where products keep their digits.

    Unmeasurable where no Gaussian can be fitted to them.
    """
    for rows in (first, second):
        if rows.ndim != 2 or rows.shape[1] != first.shape[1]:
            raise Unmeasurable(f"shapes differ: {first.shape} and {second.shape}")
        if len(rows) < 2:
            raise Unmeasurable(f"{len(rows)} rows, fewer than two")
        if not bool(np.isfinite(rows).all()):
            raise Unmeasurable("the rows hold NaN or infinity")
    place = second.mean(axis=0, dtype=float)
    return first - place, second - place


def distance(first: Moments, second: Moments) -> float:
    """The Frechet distance of two Gaussians."""
    shared = np.linalg.svd(first.root @ second.root, compute_uv=False).sum()
    apart = np.square(first.mean - second.mean).sum()
    traces = np.trace(first.covariance) + np.trace(second.covariance)
    return max(0.0, float(apart + traces - 2 * shared))
