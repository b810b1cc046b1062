"""Whether two parts of one clip find each other: clips told apart by more than their speaker."""

import math

import numpy as np

from analysis.metrics.score import Array, Score


def clip_retrieval(first: Array, second: Array, labels: Array) -> list[Score]:
    """For each clip, the share of its label's other clips that its own second half beats.

    `first` and `second` [N, D] stand for the halves of N clips, `labels` [N] for their speakers.
    The first half is compared by cosine with the second halves of all clips of its label: 1 where
    its own is the nearest, 0 where it is the farthest, and 0.5 by chance, however many there are;
    a tie counts half. It is the area under the ROC curve of one query (Fawcett, 2006). A cosine has
    no scale; give standardised points, so that no dimension outweighs the others.
    """
    unit_first, unit_second = unit(first), unit(second)
    scores = []
    for clip, label in enumerate(labels):
        alike = labels == label
        if alike.sum() < 2:
            scores.append(Score(math.nan, "the only clip of its speaker"))
            continue
        cosines = (unit_second * unit_first[clip]).sum(axis=1)  # equal rows give equal sums
        alike[clip] = False
        found, own = cosines[alike], cosines[clip]
        scores.append(Score(float(np.mean((found < own) + 0.5 * (found == own)))))
    return scores


def unit(points: Array) -> Array:
    """Points [N, D] at length 1; one at the origin stays there."""
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    scaled: Array = points / np.where(lengths > 0, lengths, 1)
    return scaled
