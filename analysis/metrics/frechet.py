"""The Frechet distance between two sets of vectors, each taken for a Gaussian."""

import numpy as np

from analysis.metrics.score import Array, Unmeasurable


def frechet_distance(first: Array, second: Array) -> float:
    """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) of the rows of [N, D] and [M, D].

    m are the means and S the unbiased covariances. The last trace is the sum of the singular
    values of S1^(1/2) S2^(1/2), whose symmetric roots are real whatever the rank: no complex
    number arises. In squared units of the vectors, so it compares only within one space, and
    it is biased upwards for few rows: compare at equal numbers. Unmeasurable with fewer than two
    rows, other sizes or a value that is not finite. Source: Heusel et al., arXiv 1706.08500.
    """
    for rows in (first, second):
        if rows.ndim != 2 or rows.shape[1] != first.shape[1]:
            raise Unmeasurable(f"shapes differ: {first.shape} and {second.shape}")
        if len(rows) < 2:
            raise Unmeasurable(f"{len(rows)} rows, fewer than two")
        if not bool(np.isfinite(rows).all()):
            raise Unmeasurable("the rows hold NaN or infinity")
    first, second = first.astype(float), second.astype(float)
    covariances = [covariance(rows) for rows in (first, second)]
    roots = [symmetric_root(one) for one in covariances]
    shared = np.linalg.svd(roots[0] @ roots[1], compute_uv=False).sum()
    apart = np.square(first.mean(axis=0) - second.mean(axis=0)).sum()
    traces = sum(np.trace(one) for one in covariances)
    return max(0.0, float(apart + traces - 2 * shared))


def covariance(rows: Array) -> Array:
    """The unbiased covariance [D, D] of rows [N, D]."""
    centred = rows - rows.mean(axis=0)
    result: Array = centred.T @ centred / (len(rows) - 1)
    return result


def symmetric_root(matrix: Array) -> Array:
    """The symmetric square root of a positive semi-definite matrix [D, D]."""
    values, vectors = np.linalg.eigh(matrix)
    root: Array = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    return root
