"""Tables as ratios: rates at corpus level, failures counted, seeds and systems lined up."""

import math

import numpy as np
import pytest

from analysis.outputs.table import Row, make_table
from analysis.statistics.ratios import common_clips, find_ratios, values_on

NAN = math.nan


def ratios(*rows: Row):
    return find_ratios(make_table("tiny/x/seed0", "x", 0, rows))


def stoi(**values: float):
    """STOI of some clips of one run."""
    rows = [Row(clip, "reconstruction", "stoi", value) for clip, value in values.items()]
    return ratios(*rows)["reconstruction", "stoi"]


def mean(ratio) -> float:
    """The metric on all clips that have a value."""
    return float(values_on(ratio, common_clips([ratio])).mean())


def test_errors_and_totals_form_the_corpus_level_rate():
    counts = {"a": (1, 4), "b": (0, 10), "c": (6, 6), "silent": (2, 0)}
    rows = [
        Row(clip, "reconstruction", f"wer_{part}", count)
        for clip, pair_ in counts.items()
        for part, count in zip(("errors", "total"), pair_, strict=True)
    ]
    mean_of_clips = [Row("a", "reconstruction", "wer", 0.25), Row("c", "reconstruction", "wer", 1)]
    found = ratios(*rows, *mean_of_clips)
    assert list(found) == [("reconstruction", "wer")]
    assert found["reconstruction", "wer"].n_scored == 4
    assert mean(found["reconstruction", "wer"]) == pytest.approx(9 / 20)


def test_a_clip_without_its_errors_has_failed_and_its_words_do_not_count():
    rows = [
        Row("a", "ceiling", "wer_errors", 1),
        Row("a", "ceiling", "wer_total", 2),
        Row("b", "ceiling", "wer_errors", NAN, "too long"),
        Row("b", "ceiling", "wer_total", 100),
        Row("c", "ceiling", "wer_total", 100),
    ]
    found = ratios(*rows)["ceiling", "wer"]
    assert (found.n_scored, found.n_failed, found.reason) == (1, 2, "too long")
    assert mean(found) == 0.5


def test_a_metric_that_only_ends_like_one_is_a_mean():
    found = ratios(Row("a", "latents", "grand_total", 3), Row("b", "latents", "grand_total", 5))
    assert mean(found["latents", "grand_total"]) == 4


def test_failures_are_counted_with_the_most_frequent_reason():
    rows = [Row(clip, "reconstruction", "stoi", NAN, "is silent") for clip in "ab"]
    rows += [Row("c", "reconstruction", "stoi", NAN, "a rare one"), Row("d", "x", "stoi", 0.5)]
    found = ratios(*rows, Row("e", "reconstruction", "stoi", math.inf))["reconstruction", "stoi"]
    assert (found.n_scored, found.n_failed, found.reason) == (0, 4, "is silent")


def test_places_on_a_map_are_no_metric_and_clips_outrank_the_whole_set():
    rows = [Row("a", "latents", "tsne_1", 3), Row("a", "latents", "probe", 1)]
    found = ratios(*rows, Row("", "latents", "probe", 0.5), Row("", "latents", "rank", 7))
    assert set(found) == {("latents", "probe"), ("latents", "rank")}
    assert found["latents", "probe"].clips == ("a",)
    assert found["latents", "rank"].clips == ("",)


def test_two_values_of_one_clip_are_refused():
    with pytest.raises(ValueError, match="two values of x/stoi"):
        ratios(Row("a", "x", "stoi", 1), Row("a", "x", "stoi", 2))


def test_what_every_run_scored_is_common():
    found = [stoi(a=1, b=2, c=3, d=4, only=9), stoi(a=1, b=4, c=NAN, d=4, other=9)]
    assert common_clips(found) == ("a", "b", "d")
    assert common_clips([stoi(a=1), stoi(b=1)]) == ()


def test_values_of_a_mean_are_the_clips_own():
    assert values_on(stoi(a=1, b=2, c=4), ("a", "c")).tolist() == [1, 4]


def test_values_of_a_rate_are_its_influence_values():
    """Errors 1, 0, 5 of 10, 20, 30 words: R = .1; R + (N - R D) / 20 by hand, with mean R."""
    rows = [
        Row(clip, "reconstruction", f"wer_{part}", count)
        for clip, pair_ in {"a": (1, 10), "b": (0, 20), "c": (5, 30)}.items()
        for part, count in zip(("errors", "total"), pair_, strict=True)
    ]
    values = values_on(ratios(*rows)["reconstruction", "wer"], ("a", "b", "c"))
    assert values == pytest.approx([0.1, 0.0, 0.2])
    jackknife = [5 / 50, 6 / 40, 1 / 30]  # the rate without each clip, which moves the other way
    order = np.argsort(values)
    assert order.tolist() == np.argsort(np.negative(jackknife)).tolist()


def test_a_rate_of_no_words_has_no_value():
    rows = [Row("a", "x", "wer_errors", 1), Row("a", "x", "wer_total", 0)]
    assert np.isnan(values_on(ratios(*rows)["x", "wer"], ("a",))).all()


def test_the_order_of_rows_does_not_matter():
    rows = [Row(clip, "x", "stoi", value) for clip, value in (("b", 2), ("a", 1), ("c", NAN))]
    for found in (ratios(*rows), ratios(*rows[::-1])):
        assert found["x", "stoi"].clips == ("a", "b", "c")
        assert np.array_equal(found["x", "stoi"].numerator, [1, 2, NAN], equal_nan=True)
