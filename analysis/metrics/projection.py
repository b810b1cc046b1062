"""A map of points in the plane, for the figure."""

import numpy as np
from threadpoolctl import threadpool_limits

from analysis.metrics.score import Array, Unmeasurable

FEWEST = 5
COMPONENTS = 50  # principal components that t-SNE is given
PERPLEXITY = 30.0  # where there are enough points
SEED = 0


def tsne(points: Array) -> Array:
    """t-SNE coordinates [N, 2] of points [N, D]: principal components first, fixed seed.

    Its affinities adapt to the density of the points, so scale hardly matters; give standardised
    points all the same. One thread: the order of sums, and with it the map, would depend on the
    machine's cores. Source: van der Maaten and Hinton, 2008, in scikit-learn.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    if len(points) < FEWEST:
        raise Unmeasurable(f"{len(points)} clips, fewer than {FEWEST}")
    if not points.std(axis=0).any():  # the library would divide by 0, and crash
        raise Unmeasurable("the latents of all clips are alike")
    if points.shape[1] == 1:
        points = np.hstack([points, np.zeros_like(points)])
    perplexity = min(PERPLEXITY, (len(points) - 1) / 3)
    embedding = TSNE(perplexity=perplexity, init="pca", random_state=SEED)
    with threadpool_limits(1):
        components = PCA(min(COMPONENTS, *points.shape), svd_solver="full").fit_transform(points)
        return np.asarray(embedding.fit_transform(components), dtype=float)
