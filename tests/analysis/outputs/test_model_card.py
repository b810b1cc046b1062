"""The measurements on the card, against means by hand, and nothing else in the folder changed."""

import json
import math

import pytest
from huggingface_hub import ModelCard

from analysis.outputs.headlines import headlines
from analysis.outputs.model_card import write_card
from analysis.outputs.table import Row, make_table
from analysis.runs import find_run
from dcvae import SpeechAutoencoder
from dcvae.models.pretrained import checkpoint_sha256

ROWS = [
    Row("a", "reconstruction", "pesq_wb", 1.0),
    Row("b", "reconstruction", "pesq_wb", 2.0),
    Row("c", "reconstruction", "pesq_wb", math.nan, "silent"),
    *(Row(clip, "ceiling", "pesq_wb", 3.5) for clip in "abc"),
    *(Row(clip, "original", "pesq_wb", 4.6) for clip in "abc"),
    Row("a", "reconstruction", "dwer_errors", 1),
    Row("a", "reconstruction", "dwer_total", 2),
    Row("b", "reconstruction", "dwer_errors", 0),
    Row("b", "reconstruction", "dwer_total", 8),
    Row("a", "latents", "speaker_probe", 0.75),
    Row("a", "latents", "tsne_1", 3.0),
]
TABLE = make_table("tiny/baseline/seed0", "baseline", 0, ROWS)


def test_headlines_are_means_of_what_was_scored():
    found = {one.metric: one for one in headlines(TABLE, {})}
    assert list(found) == ["pesq_wb", "dwer", "latents/speaker_probe"]
    pesq = found["pesq_wb"]
    assert (pesq.mean, pesq.ceiling, pesq.original) == (1.5, 3.5, 4.6)
    assert (pesq.n_scored, pesq.n_failed) == (2, 1)
    half = 12.706 * 0.5  # t(.975) at one degree of freedom, standard error of 1 and 2
    assert (pesq.low, pesq.high) == pytest.approx((1.5 - half, 1.5 + half), abs=1e-3)
    assert found["dwer"].mean == pytest.approx(1 / 10)  # of all words, not the mean of 1/2 and 0
    assert math.isnan(found["dwer"].ceiling)
    assert math.isnan(found["dwer"].original)


@pytest.fixture
def run(make_run, spoken, tmp_path):
    return find_run(make_run(tmp_path, spoken, "baseline"))


def test_only_the_card_is_replaced(run):
    before = checkpoint_sha256(run.checkpoint)
    write_card(run, SpeechAutoencoder.from_pretrained(run.checkpoint), TABLE, "test")
    card = ModelCard.load(run.checkpoint / "README.md")
    values = {one.metric_type: one.metric_value for one in card.data.eval_results}
    assert values == {"pesq_wb": 1.5, "dwer": 0.1, "latents/speaker_probe": 0.75}
    assert "| PESQ-wb ↑ | 1.500 |" in card.text
    assert "griffin_lim" in card.text
    assert "| step | 2 of 2 |" in card.text  # `last` is of the last step
    assert checkpoint_sha256(run.checkpoint) == before
    names = {path.name for path in run.checkpoint.iterdir()}
    assert names == {"README.md", "config.json", "model.safetensors"}


def test_best_is_of_the_step_that_the_run_says(run):
    path = run.folder / "run.json"
    corpus = {"name": "mine", "manifest": "mine.csv", "clips": 7, "hours": 0.5}
    described = json.loads(path.read_text()) | {"best_step": 1, "corpus": corpus}
    path.write_text(json.dumps(described))
    (run.folder / "last").rename(run.folder / "best")
    best = find_run(run.folder, "best")
    write_card(best, SpeechAutoencoder.from_pretrained(best.checkpoint), TABLE, "test")
    card = ModelCard.load(best.checkpoint / "README.md")
    assert "| step | 1 of 2 |" in card.text
    assert "mine (manifest `mine.csv`): 7 clips, 0.50 hours" in card.text
    assert {one.dataset_name for one in card.data.eval_results} == {"mine"}
