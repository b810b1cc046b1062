import copy
import re
from functools import partial

import pytest
import torch

from dcvae.discriminators import MultiBandDiscriminator
from experiments.benchmark.__main__ import main
from experiments.benchmark.parts import build_trainer, configuration, speech
from experiments.benchmark.published import BandLoop, PublishedStep
from experiments.benchmark.table import spread
from experiments.optim import build_optimizers


def test_the_loop_over_bands_is_the_grouped_critic():
    torch.manual_seed(0)
    grouped = MultiBandDiscriminator(channels=2)
    loop = BandLoop(copy.deepcopy(grouped))
    mel = torch.randn(2, 80, 64)
    ours, theirs = grouped(mel), loop(mel)
    torch.testing.assert_close(ours.logits, theirs.logits)
    assert len(ours.features) == len(theirs.features)
    norms = [sorted(f.norm().item() for f in one.features) for one in (ours, theirs)]
    assert norms[0] == pytest.approx(norms[1], rel=1e-4)


def test_the_published_way_takes_the_same_steps(tmp_path):
    """Of a weight-normed model both ways move the same parameters: the losses stay together."""
    wave = speech(2, 64)
    trainer = build_trainer("debug", "no", tmp_path, wave, "cpu", weight_norm=True)
    config = configuration("debug")
    published = PublishedStep(
        trainer.model,
        *trainer.adversary.critics,
        trainer.objective,
        partial(build_optimizers, **config["optimizer"]),
        partial(build_optimizers, **config["adversary"]["optimizer"]),
        config["trainer"]["clip_norm"],
    )
    for optimizer in published.optimizers:
        if "bfloat16" in optimizer.param_groups[0]:
            optimizer.param_groups[0]["bfloat16"] = False
    for step in range(3):
        terms = []
        for way in (partial(trainer.train_step, step=0), published):
            torch.manual_seed(step)  # the noise
            terms.append({name: value.item() for name, value in way(wave).items()})
        ours, theirs = terms
        ours.pop("gradient_norm")
        assert ours == pytest.approx(theirs, rel=1e-3 if step else 1e-5)


def test_a_table_with_ratios_is_printed(capsys):
    options = "--size debug --batch 2 --frames 64 --steps 2 --precision no --against published"
    main(["train", *options.split(), "--device", "cpu"])
    text = capsys.readouterr().out
    assert re.search(r"\| ours, float32 \| [\d.]+ \([\d.]+ to [\d.]+\) \|", text)
    assert re.search(r"\| published \|", text)
    assert re.search(r"[\d.]+ \([\d.]+ to [\d.]+\) times the published way's", text)


def test_an_unknown_size_or_subject_is_one_line(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["train", "--size", "huge"])
    assert "no size is named 'huge'" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["nothing"])


def test_spread_is_median_and_quartiles():
    assert spread([1.0, 2.0, 3.0, 4.0, 5.0]) == "3.00 (2.00 to 4.00)"
    assert spread([2.0]) == "2.00 (2.00 to 2.00)"
