"""Whose clips lie nearest to a clip: neighbour consistency and neighbours as a classifier."""

import numpy as np

from analysis.metrics.probes import held_out
from analysis.metrics.score import Array, Score, Unmeasurable

NEAREST = 10  # neighbours that LNC looks at
VOTES = 5  # neighbours that vote


def neighbour_consistency(points: Array, labels: Array, nearest: int = NEAREST) -> Array:
    """LNC: the share of each point's nearest others with its own label, 0 to 1.

    Nearest by cosine among points [N, D], which has no scale; give standardised points, so that
    no dimension outweighs the others. A label with fewer other points than `nearest` cannot
    reach 1. Source: Latent Neighbor Consistency, arXiv 2606.03578.
    """
    from sklearn.neighbors import NearestNeighbors

    if len(points) <= nearest:
        raise Unmeasurable(f"{len(points)} clips, fewer than {nearest} neighbours and one")
    neighbours = NearestNeighbors(n_neighbors=nearest, metric="cosine").fit(points)
    found = neighbours.kneighbors(return_distance=False)  # of every point, itself left out
    shares: Array = np.mean(labels[found] == labels[:, None], axis=1)
    return shares


def neighbour_vote(points: Array, labels: Array, groups: Array, votes: int = VOTES) -> list[Score]:
    """Held-out hits of k-nearest-neighbour voting on points standardised in training folds.

    Nearest by cosine; votes count by closeness, which decides ties. Neither has a scale.
    """
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    voters = KNeighborsClassifier(votes, weights="distance", metric="cosine")
    classifier = make_pipeline(StandardScaler(), voters)
    return held_out(points, labels, groups, classifier, fewest=votes)
