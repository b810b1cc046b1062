"""Midpoints of nearest neighbours: worked by hand, and better where the space is convex."""

from pathlib import Path

import pytest
import torch

from analysis.evaluators.interpolation import EVALUATOR, midpoints, windows
from analysis.metrics.score import Unmeasurable


def test_midpoints_by_hand() -> None:
    points = torch.tensor([0.0, 1.0, 4.0, 10.0]).reshape(4, 1, 1, 1)
    halfway = midpoints(points, ["a", "a", "b", "b"]).flatten()
    assert halfway.tolist() == [2.0, 2.5, 2.5, 5.5]  # a clip's own windows are passed over
    scaled = midpoints(100 * points, ["a", "a", "b", "b"]).flatten()
    assert torch.equal(scaled, 100 * halfway)
    with pytest.raises(Unmeasurable):
        midpoints(points, ["a"] * 4)


def test_windows_are_whole_and_aligned(spoken: Path, make_context) -> None:
    context = make_context(spoken, 3)
    found = windows(context.batches(context.clips), 64 // context.system.compression)
    for name, latents, mel in found:
        assert latents.shape == (8, 5, 4)
        assert mel.shape == (80, 64)
        assert name in {clip.name for clip in context.clips}
    assert len(found) == sum(
        sample.frames // 64 for batch in context.batches(context.clips) for sample in batch.samples
    )


def test_the_evaluator_gives_both_distances(spoken: Path, make_context) -> None:
    context = make_context(spoken, 4)
    (rows,) = EVALUATOR.measure(context.batches(context.clips), context)
    values = {row.condition: row.value for row in rows}
    assert set(values) == {"reconstruction", "interpolation"}
    assert all(value > 0 for value in values.values())
    (alone,) = EVALUATOR.measure(context.batches(context.clips[:1]), context)
    assert next(row.reason for row in alone if row.condition == "interpolation")
