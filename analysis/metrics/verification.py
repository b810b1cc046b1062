"""Speaker verification: cosine similarity and the equal-error rate."""

import numpy as np

from analysis.metrics.score import Array, Unmeasurable


def cosine(first: Array, second: Array) -> float:
    """Cosine of the angle between two vectors [D], from -1 to 1."""
    norms = float(np.linalg.norm(first) * np.linalg.norm(second))
    if not norms > 0:
        raise Unmeasurable("an embedding is zero")
    return float(first @ second) / norms


def equal_error_rate(scores: Array, same: Array) -> float:
    """Where false acceptances and false rejections are equally frequent, 0 to 1.

    Args:
        scores: of trials [N], higher for the same speaker.
        same: which trials [N] are of the same speaker.

    Interpolated linearly between the operating points of scikit-learn's ROC.
    """
    from sklearn.metrics import roc_curve

    if same.all() or not same.any():
        raise Unmeasurable("trials of the same and of different speakers are needed")
    accepted_wrongly, accepted_rightly, _ = roc_curve(same, scores, drop_intermediate=False)
    gap = (1 - accepted_rightly) - accepted_wrongly  # falls from 1 to -1
    after = int(np.argmax(gap <= 0))
    share = gap[after - 1] / (gap[after - 1] - gap[after])
    step = accepted_wrongly[after] - accepted_wrongly[after - 1]
    return float(accepted_wrongly[after - 1] + share * step)


def verification_trials(enrolled: Array, tested: Array, speakers: list[str]) -> tuple[Array, Array]:
    """Every clip of `tested` [N, D] against every other clip of `enrolled` [N, D].

    Returns the cosines [N * (N - 1)] of vectors of length 1, and which are of one speaker.
    """
    labels = np.asarray(speakers)
    others = ~np.eye(len(labels), dtype=bool)
    return (tested @ enrolled.T)[others], (labels[:, None] == labels)[others]
