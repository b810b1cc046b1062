"""The benchmark of inference stays alive, and its page shows what it prints."""

import re
from pathlib import Path

import pytest

from dcvae.utils.threads import torch_threads
from experiments.benchmark.__main__ import BENCHMARKS, main
from experiments.benchmark.inference import MODELS, VOCODERS

PAGE = (Path(__file__).parents[3] / "docs" / "speed.md").read_text()
SMALL = "--sizes debug --vocoders griffin_lim --batches 1 2 --frames 32 --repeats 1 --device cpu"


def test_models_and_vocoders_get_their_rows(capsys):
    with torch_threads(1):
        main(["inference", *SMALL.split()])
    lines = capsys.readouterr().out.splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
    assert [row[:2] for row in rows] == [
        MODELS[:2], ["debug", "1"], ["debug", "2"],
        VOCODERS[:2], ["griffin_lim", "1"], ["griffin_lim", "2"],
    ]  # fmt: skip
    for encode, encode_fast, faster, *_, error in (row[2:] for row in rows[1:3]):
        ratio = float(encode) / float(encode_fast)  # of numbers that are rounded
        assert float(faster) == pytest.approx(ratio, rel=0.2)
        assert 0 < float(error.rstrip("%")) < 5
    assert all(float(row[2]) > 0 for row in rows[4:])


@pytest.mark.parametrize("columns", [MODELS, VOCODERS])
def test_the_page_has_the_same_columns(columns):
    assert f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}\n" in PAGE


def test_the_page_names_every_subject():
    named = set(re.findall(r"`python -m experiments\.benchmark (\w+)", PAGE))
    assert named == set(BENCHMARKS)
