import json
import re

import pytest

from experiments.benchmark import analysis
from experiments.benchmark.__main__ import main


def test_an_evaluator_gets_its_row(capsys):
    """By the analysis itself: the two test clips of the checkout."""
    main(["analysis", "--size", "debug", "--evaluators", "latents", "--device", "cpu"])
    assert re.search(r"\| latents \| 2 \| [\d.]+ \| [\d.]+ \| [\d.]+ \|", capsys.readouterr().out)


def test_costs_are_a_clip_and_a_second_of_speech(tmp_path):
    summary = {"clips": 4, "seconds": 2.0, "speech_seconds": 10.0, "real_time_factor": 0.2}
    written = {"evaluators": {"quality": summary}, "skipped": {"words": "not installed"}}
    (tmp_path / "analysis").mkdir()
    (tmp_path / "analysis" / "analysis.json").write_text(json.dumps(written))
    assert list(analysis.costs(tmp_path)) == [
        ["quality", "4", "2.0", "0.500", "0.200"],
        ["words", "-", "-", "-", "skipped: not installed"],
    ]


def test_what_the_analysis_complains_of_is_passed_on(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["analysis", "--size", "debug", "--evaluators", "taste", "--device", "cpu"])
    error = capsys.readouterr().err
    assert "ended early: analysis: no evaluator is named 'taste'" in error
    assert error.count("\n") == 1


def test_a_manifest_that_is_not_there_is_named(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["analysis", "--size", "debug", "--manifest", "none.csv"])
    assert capsys.readouterr().err.endswith("none.csv: there is no such manifest\n")
