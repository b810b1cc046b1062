"""How latents fill their space: spectrum, velocity ambiguity, smoothness, channels, dispersion.

D is the size of one latent frame (channels x bins), L the frames of a clip. No measure here
changes when all latents are multiplied by one number; each docstring says why.
"""

import numpy as np

from analysis.metrics.score import Array, Unmeasurable

DEAD = 0.01  # of the mean channel variance; a channel below it is dead
FEWEST_FRAMES = 4  # of a clip whose frequencies along time are looked at


def eigenvalues(covariance: Array) -> Array:
    """The eigenvalues of a covariance [D, D], largest first, rounding below zero removed."""
    values: Array = np.linalg.eigvalsh(covariance)[::-1].clip(min=0)
    return values


def eigenvalue_shares(covariance: Array) -> Array:
    """Each principal component's share of the variance [D], largest first; scale-free."""
    values = eigenvalues(covariance)
    if not values.sum() > 0:
        raise Unmeasurable("the latents do not vary")
    shares: Array = values / values.sum()
    return shares


def effective_rank(covariance: Array) -> float:
    """The exponential of the entropy of the eigenvalue shares of a covariance [D, D], 1 to D.

    Shares have no scale. These eigenvalues are the singular values of the covariance, whose
    effective rank this is; that of the frames' own matrix takes their roots and is higher.
    Source: Roy and Vetterli, "The effective rank: a measure of effective dimensionality", 2007.
    """
    return effective_number(eigenvalue_shares(covariance))


def effective_number(weights: Array) -> float:
    """The exponential of the entropy of weights [N] >= 0 as shares: N where all are equal."""
    if not weights.sum() > 0:
        raise Unmeasurable("all weights are zero")
    shares = weights[weights > 0] / weights.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def within_class_covariance(frames: Array, labels: Array) -> Array:
    """The covariance [D, D] of frames [N, D] about the mean of their class, over all classes."""
    _, codes = np.unique(labels, return_inverse=True)
    counts = np.bincount(codes)
    sums = np.zeros((len(counts), frames.shape[1]))
    np.add.at(sums, codes, frames)
    centred = frames - (sums / counts[:, None])[codes]
    covariance: Array = centred.T @ centred / len(frames)
    return covariance


def velocity_irreducible_variance(frames: Array, labels: Array) -> float:
    """VIV per dimension of frames [N, D] with a class each, 0 to pi/2: lower is easier to model.

    Flow matching regresses the velocity x1 - x0 on a point between noise x0 and data x1. What no
    model can predict of it, integrated over time, is (pi/2) x the sum of the square roots of the
    eigenvalues of the within-class covariance, where each class is Gaussian. Here the frames
    are standardised to unit total variance and the sum is divided by sqrt(D), which frees it of
    scale and size: pi/2 means that all directions vary alike and the classes share one mean.
    One covariance is pooled over the classes, where the paper averages one a class: that takes
    many more frames than dimensions in each. Source: arXiv 2606.03578, equation 5.
    """
    if len(frames) <= frames.shape[1]:
        raise Unmeasurable(f"{len(frames)} frames are too few for {frames.shape[1]} dimensions")
    total = float(frames.var(axis=0).sum())
    if not total > 0:
        raise Unmeasurable("the latents do not vary")
    roots = np.sqrt(eigenvalues(within_class_covariance(frames, labels) / total))
    return float(np.pi / 2 * roots.sum() / np.sqrt(frames.shape[1]))


def spectral_energy(sequence: Array, mean: Array, std: Array) -> float:
    """SEC of a clip's latents [D, L]: the share of energy in the upper half of frequencies.

    Each dimension is standardised with the mean and standard deviation [D] of the whole set,
    which removes the scale (a dimension that never varies is left out), and transformed along
    time by the orthonormal DCT-II; the share is of coefficients k > (L - 1) / 2 in the energy of
    all k and dimensions. White noise gives about a half, a clip that changes slowly nearly 0.
    Source: arXiv 2606.03578, equation 9, with threshold 0.5 and time as the only axis.
    """
    length = sequence.shape[1]
    if length < FEWEST_FRAMES:
        raise Unmeasurable(f"{length} latent frames, fewer than {FEWEST_FRAMES}")
    alive = std > 0
    standard = (sequence[alive] - mean[alive, None]) / std[alive, None]
    energy = np.square(standard @ cosines(length).T).sum(axis=0)
    if not energy.sum() > 0:
        raise Unmeasurable("the latents do not vary")
    return float(energy[np.arange(length) > (length - 1) / 2].sum() / energy.sum())


def cosines(length: int) -> Array:
    """The orthonormal DCT-II as a matrix [frequencies, times], both `length` long."""
    times = np.arange(length)
    basis = np.sqrt(2 / length) * np.cos(np.pi / length * np.outer(times, times + 0.5))
    basis[0] /= np.sqrt(2)
    return basis


def channel_variances(variances: Array) -> Array:
    """Each channel's variance over that of the mean channel [C]; 1 is average, scale-free.

    Takes the variance over all frames of every channel and bin [C, H]. A channel's is the mean of
    its bins', so that one that differs between bins but never in time has none.
    """
    by_channel = variances.mean(axis=1)
    if not by_channel.sum() > 0:
        raise Unmeasurable("the latents do not vary")
    relative: Array = by_channel / by_channel.mean()
    return relative


def dead_channels(variances: Array) -> float:
    """The share of channels with less than 1% of the mean channel variance; scale-free."""
    return float((channel_variances(variances) < DEAD).mean())


def dispersive(starts: Array) -> float:
    """Mean squared cosine between different clips' flattened latents [N, d], 0 to 1.

    The cosine form of the dispersive loss, over every pair. A cosine has no scale.
    """
    if len(starts) < 2:
        raise Unmeasurable("fewer than two clips are long enough to compare")
    norms = np.linalg.norm(starts, axis=1, keepdims=True)
    if not norms.min() > 0:
        raise Unmeasurable("a clip's latents are all zero")
    cosines_of_pairs = np.square(starts / norms @ (starts / norms).T)
    others = cosines_of_pairs.sum() - np.trace(cosines_of_pairs)
    return float(others / (len(starts) * (len(starts) - 1)))


def dispersive_moving(starts: Array) -> float:
    """`dispersive` of what differs between clips: their mean is taken away first.

    The rest of the value is a direction that all clips share, which no loss can disperse.
    """
    return dispersive(starts - starts.mean(axis=0) if len(starts) else starts)
