import copy
import re
import time
from functools import partial
from types import SimpleNamespace

import pytest
import torch

from dcvae.discriminators import MultiBandDiscriminator
from experiments.benchmark.__main__ import main
from experiments.benchmark.parts import MANIFEST, build_trainer, configuration, speech
from experiments.benchmark.published import BandLoop, PublishedStep
from experiments.benchmark.table import spread
from experiments.benchmark.waiting import long_loader, share_of_waiting
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
    options += " --loader"
    main(["train", *options.split(), "--device", "cpu"])
    text = capsys.readouterr().out
    assert re.search(r"\| ours, float32 \| [\d.]+ \([\d.]+ to [\d.]+\) \|", text)
    assert re.search(r"\| published \|", text)
    assert re.search(r"[\d.]+ \([\d.]+ to [\d.]+\) times the published way's", text)
    assert re.search(r"[\d.]+ \([\d.]+ to [\d.]+\)% of the time is spent waiting", text)


def test_waiting_is_told_from_working():
    """A loader and a step that sleep: a third of the time and two thirds."""

    class Slow:
        loader = SimpleNamespace(num_workers=1, prefetch_factor=2)

        def batches(self):
            while True:
                time.sleep(0.05)
                yield torch.zeros(1)

        def train_step(self, wave, step):
            time.sleep(0.1)

    share = float(share_of_waiting(Slow(), 3).split()[0])
    assert 20 < share < 50


def test_an_epoch_lasts_as_long_as_the_benchmark(tmp_path):
    loader = long_loader("debug", MANIFEST, 8, 64, 5, tmp_path)
    assert len(loader) >= 8
    assert next(iter(loader)).shape == (8, 64 * 256)
    (tmp_path / "none.csv").write_text(MANIFEST.read_text().replace(",train", ",test"))
    with pytest.raises(ValueError, match=r"none\.csv has no training clip of 1 s"):
        long_loader("debug", tmp_path / "none.csv", 8, 64, 5, tmp_path)


def test_an_unknown_size_or_subject_is_one_line(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["train", "--size", "huge"])
    assert "no size is named 'huge'" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["nothing"])


def test_spread_is_median_and_quartiles():
    assert spread([1.0, 2.0, 3.0, 4.0, 5.0]) == "3.00 (2.00 to 4.00)"
    assert spread([2.0]) == "2.00 (2.00 to 2.00)"
