"""Tables as ratios: rates at corpus level, failures counted, seeds and systems lined up."""

import math

import numpy as np
import pytest

from analysis.ratios import find_ratios, pair, system
from analysis.table import Row, make_table

NAN = math.nan


def ratios(*rows: Row):
    return find_ratios(make_table("tiny/x/seed0", "x", 0, rows))


def stoi(**values: float):
    """STOI of some clips of one run."""
    rows = [Row(clip, "reconstruction", "stoi", value) for clip, value in values.items()]
    return ratios(*rows)["reconstruction", "stoi"]


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
    assert system([found["reconstruction", "wer"]], "x").value == pytest.approx(9 / 20)


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
    assert system([found], "x").value == 0.5


def test_a_metric_that_only_ends_like_one_is_a_mean():
    found = ratios(Row("a", "latents", "grand_total", 3), Row("b", "latents", "grand_total", 5))
    assert system([found["latents", "grand_total"]], "x").value == 4


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


def test_a_system_has_all_that_its_seeds_scored():
    one = system([stoi(a=1, b=2, c=NAN), stoi(b=4, c=6, d=7)], "x")
    assert one.numerators.tolist() == [[1, 2, 0, 0], [0, 4, 6, 7]]
    assert one.denominators.tolist() == [[1, 1, 0, 0], [0, 1, 1, 1]]
    assert one.value == 4


def test_a_pair_has_what_every_seed_of_both_scored():
    first = [stoi(a=1, b=2, c=3, d=4, only=9), stoi(a=1, b=4, c=NAN, d=4)]
    second = [stoi(b=0, c=0, d=NAN, a=5, other=9)]
    one, other = pair(first, second, ("x", "baseline"))
    assert one.value == pytest.approx((1 + 2 + 1 + 4) / 4)
    assert other.value == pytest.approx((5 + 0) / 2)
    assert one.clips == other.clips == 2
    assert one.numerators.shape == (2, 4)  # a to d, of which c and d take no part


def test_systems_without_a_common_clip_share_nothing():
    one, other = pair([stoi(a=1)], [stoi(b=1)], ("x", "baseline"))
    assert one.clips == other.clips == 0


def test_the_order_of_rows_does_not_matter():
    rows = [Row(clip, "x", "stoi", value) for clip, value in (("b", 2), ("a", 1), ("c", NAN))]
    for found in (ratios(*rows), ratios(*rows[::-1])):
        assert found["x", "stoi"].clips == ("a", "b", "c")
        assert np.array_equal(found["x", "stoi"].numerator, [1, 2, NAN], equal_nan=True)
