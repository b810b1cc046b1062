"""Whether labels can be read off points: probes scored on held-out groups, and the silhouette."""

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from analysis.metrics.score import Array, Score, Unmeasurable

FOLDS = 5
REPEATS = 10  # of the cross-validation, each with folds of its own
UNSEEN = "its label is in no other fold"


def standardise(points: Array) -> Array:
    """Points [N, D] with mean 0 and variance 1 in each dimension, in double precision.

    One whose standard deviation is under a millionth of the largest is rounding: it becomes 0.
    """
    if not len(points):
        return points.astype(float)
    std = points.std(axis=0, dtype=float)
    alive = std > 1e-6 * std.max(initial=0)
    standard: Array = np.where(alive, (points - points.mean(axis=0)) / np.where(alive, std, 1), 0.0)
    return standard


def recording_groups(labels: Sequence[str], sets: Sequence[str], names: Sequence[str]) -> Array:
    """The group [N] of each clip, of which no two folds may both have a part.

    A label that was recorded in several sets is held out a set at a time, so that it must be
    known across recording sets; a clip of any other label is a group of its own.
    """
    recorded = defaultdict(set)
    for label, recording_set in zip(labels, sets, strict=True):
        recorded[label].add(recording_set)
    return np.array(
        [
            f"set {recording_set}" if len(recorded[label]) > 1 else f"clip {name}"
            for label, recording_set, name in zip(labels, sets, names, strict=True)
        ]
    )


def grouped_folds(labels: Array, groups: Array, seed: int = 0) -> list[tuple[Array, Array]]:
    """Indices to train and to test on, for each of up to five folds that share no group.

    Stratified by label; fewer folds where a label has fewer groups. The seed draws them.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    fewest = min(len(np.unique(groups[labels == label])) for label in np.unique(labels))
    if fewest < 2:
        raise Unmeasurable("a label has one group alone, nothing to hold out")
    splitter = StratifiedGroupKFold(min(FOLDS, fewest), shuffle=True, random_state=seed)
    return list(splitter.split(labels, labels, groups))


def held_out(
    points: Array,
    labels: Array,
    groups: Array,
    classifier: Any,
    fewest: int = 2,
    repeats: int = REPEATS,
) -> list[Score]:
    """For each point [N, D], how often a classifier that never saw it predicts its label, 0 to 1.

    Over `repeats` cross-validations: with one, which points share a fold decides the hits of those
    near the border. A point whose label is in no training fold, or whose training folds hold fewer
    than `fewest` points or a single label, cannot be scored in that one.

    One thread: on matrices as small as those of clips two wait for each other more than they
    compute, and the order of sums would depend on the machine's cores.
    """
    with threadpool_limits(1):
        every = [
            held_out_once(points, labels, groups, classifier, fewest, seed)
            for seed in range(repeats)
        ]
    return [mean_score(scores) for scores in zip(*every, strict=True)]


def mean_score(scores: Sequence[Score]) -> Score:
    """The mean of those that could be had; the first reason where none could."""
    values = [one.value for one in scores if not math.isnan(one.value)]
    return Score(sum(values) / len(values)) if values else scores[0]


def held_out_once(
    points: Array, labels: Array, groups: Array, classifier: Any, fewest: int, seed: int
) -> list[Score]:
    """1 or 0 for each point, in the cross-validation of one seed."""
    scores = [Score(math.nan, UNSEEN)] * len(points)
    for train, test in grouped_folds(labels, groups, seed):
        seen = np.unique(labels[train])
        if len(seen) < 2 or len(train) < fewest:
            reason = f"{len(train)} training clips of {len(seen)} labels are too few"
            for index in test:
                scores[index] = Score(math.nan, reason)
            continue
        predicted = classifier.fit(points[train], labels[train]).predict(points[test])
        for index, answer in zip(test, predicted, strict=True):
            if labels[index] in seen:
                scores[index] = Score(float(answer == labels[index]))
    return scores


def linear_probe(
    points: Array, labels: Array, groups: Array, repeats: int = REPEATS
) -> list[Score]:
    """Held-out hits of multinomial logistic regression on points standardised in training folds.

    Standardising removes the scale.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return held_out(points, labels, groups, probe, repeats=repeats)


def most_frequent(labels: Array) -> float:
    """The share of the most frequent label: what a probe reaches that looks at nothing."""
    if not len(labels):
        raise Unmeasurable("fewer than two labels to tell apart")
    return float(np.unique(labels, return_counts=True)[1].max() / len(labels))


def silhouette(points: Array, labels: Array) -> Array:
    """The silhouette of each point [N, D] in cosine distance, -1 to 1 (Rousseeuw, 1987).

    A cosine has no scale; give standardised points, so that no dimension outweighs the others.
    """
    from sklearn.metrics import silhouette_samples

    return np.asarray(silhouette_samples(points, labels, metric="cosine"))
