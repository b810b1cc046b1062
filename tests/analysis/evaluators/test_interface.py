"""The interface test: a generator's errors and white noise of their power, decoded and scored."""

import math
from functools import partial

import pytest

from analysis.evaluators.interface import EVALUATOR, flops_to_bar

CONDITIONS = {
    "interface",
    "interface_clean",
    *(
        f"interface_{kind}_{run}_step_{step}"
        for kind in ("probe", "white")
        for run in (1, 4)
        for step in (0,)
    ),
}


@pytest.fixture
def make(make, set_budget):
    """A context of five clips, without what needs a network to listen."""
    set_budget(validation_hours=0.0, steps=4, curve=(0,), decoded=(0,), seeds=(0,))
    return partial(make, count=5)


def test_every_clip_is_scored_in_every_condition_and_again_the_same(make, corpus, measure):
    context = make(corpus)
    rows = measure(EVALUATOR, context)
    assert rows == measure(EVALUATOR, make(corpus))
    assert {row.condition for row in rows if row.clip} == CONDITIONS
    for clip in context.clips[:3]:
        own = {(row.condition, row.metric) for row in rows if row.clip == clip.name}
        assert own == set(EVALUATOR.cells(context, clip))
    (bar,) = [row for row in rows if not row.clip]
    assert bar[1:3] == ("interface", "flops_to_bar")
    assert math.isfinite(bar.value) or "stays under" in bar.reason
    # before training frames are drawn as if nothing were known: two independent draws of one
    # variance, whose difference has twice the power
    shares = [row.value for row in rows if row[1:3] == ("interface_probe_1_step_0", "error_share")]
    assert sum(shares) / 3 == pytest.approx(2, rel=0.4)


def test_no_training_speech_gives_the_same_rows_with_the_reason(make, spoken, measure):
    rows = measure(EVALUATOR, make(spoken))
    assert {row.condition for row in rows} == CONDITIONS
    assert {row.reason for row in rows} == {"the training split has no clip that can be used"}


@pytest.mark.parametrize(
    ("curve", "steps"),
    [
        ({0: 0.1, 50: 0.2, 200: 0.3}, 125),  # half way from .2 to .3
        ({0: 0.1, 50: 0.25, 200: 0.2}, 50),
        ({0: 0.25, 50: 0.2}, 0),
    ],
)
def test_the_compute_to_the_bar_lies_between_the_steps_around_it(curve, steps):
    assert flops_to_bar(curve, flops=1e9, bar=0.25).value == pytest.approx(steps * 1e9)


@pytest.mark.parametrize(
    ("curve", "reason"),
    [
        ({50: 0.3, 200: 0.4}, "passed before the first decoded step"),
        ({50: 0.25, 200: 0.2}, "passed before the first decoded step"),
        ({0: 0.1, 50: 0.2}, "stoi stays under 0.25 within 50 steps"),
        ({}, "no clip has a stoi"),
    ],
)
def test_a_bar_that_is_passed_at_no_known_step_has_no_compute_but_a_reason(curve, reason):
    """At the first decoded step the compute would be the step's, which is the same of all."""
    found = flops_to_bar(curve, flops=1e9, bar=0.25)
    assert math.isnan(found.value)
    assert found.reason == reason
