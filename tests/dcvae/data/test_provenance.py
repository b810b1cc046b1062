from pathlib import Path

import pytest

from dcvae.data.manifest import Clip
from dcvae.data.provenance import Corpus, Training


def test_corpus_counts_what_has_a_name():
    clips = [
        Clip(Path("a.wav"), 1800.0, 16000, "ann", "en"),
        Clip(Path("b.wav"), 900.0, 16000, "ann", "es"),
        Clip(Path("c.wav"), 900.0, 16000, "", ""),
    ]
    corpus = Corpus.of("mine", "mine.csv", clips)
    assert corpus == Corpus("mine", "mine.csv", 3, 1.0, ["en", "es"], 1)


def test_training_takes_the_facts_that_it_knows():
    facts = {
        "ablation": "plain_ae",
        "size": "tiny",
        "seed": 3,
        "claims": [],
        "corpus": {"name": "mine", "manifest": "mine.csv", "clips": 3, "hours": 1.0},
    }
    training = Training.of(facts)
    assert training.name == "tiny/plain_ae/seed3"
    assert Training.of(facts | {"budget": 350}).name == "tiny-350steps/plain_ae/seed3"
    assert training.corpus is not None
    assert training.corpus.hours == pytest.approx(1.0)
    assert training.step is None
    assert Training.of({}) == Training()
