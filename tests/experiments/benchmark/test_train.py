import copy
import re
import time
from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from accelerate.state import AcceleratorState

from dcvae.models.discriminators import MultiBandDiscriminator
from experiments.benchmark.__main__ import main
from experiments.benchmark.parts import MANIFEST, settled_trainer, speech
from experiments.benchmark.published import BandLoop
from experiments.benchmark.table import format_quartiles
from experiments.benchmark.train import published_step
from experiments.benchmark.waiting import long_loader, share_of_waiting
from experiments.training.optimizers import match_precision


def test_the_loop_over_bands_is_the_grouped_critic():
    torch.manual_seed(0)
    grouped = MultiBandDiscriminator(channels=2).double()
    loop = BandLoop(copy.deepcopy(grouped)).double()
    mel = torch.randn(2, 80, 64, dtype=torch.float64)
    ours, theirs = grouped(mel), loop(mel)
    torch.testing.assert_close(ours.logits, theirs.logits)
    maps = [one for stack in ours.features for one in stack]
    norms = [sorted(one.norm().item() for one in some) for some in (maps, theirs.features)]
    assert norms[0] == pytest.approx(norms[1])


@pytest.fixture
def any_precision() -> Iterator[None]:
    """Accelerate keeps a process's first precision until it is told to forget it."""
    AcceleratorState._reset_state()
    yield
    AcceleratorState._reset_state()


@pytest.mark.usefixtures("any_precision")
@pytest.mark.parametrize(("precision", "tolerance"), [("no", 1e-4), ("bf16", 1e-2)])
def test_fifty_steps_have_the_losses_of_the_published_way(tmp_path, precision, tolerance):
    """Of a weight-normed model both ways move the same parameters; at a tenth of the rate, as what
    rounding makes of a game of two grows with every step."""
    wave = speech(2, 64)
    trainer = settled_trainer("debug", precision, tmp_path, wave, "cpu", ["model.weight_norm=true"])
    published = published_step("debug", trainer)
    match_precision(published.optimizers, precision)
    ours, theirs = trainer.optimizers, published.optimizers
    ours, theirs = ours + trainer.adversary.optimizers, theirs + published.critic_optimizers
    for group in (group for optimizer in (*ours, *theirs) for group in optimizer.param_groups):
        group["lr"] *= 0.1
    curves = []
    for step in range(50):
        terms = []
        for way in (partial(trainer.train_step, step=0), published):
            torch.manual_seed(step)  # the noise
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                terms.append({name: value.item() for name, value in way(wave).items()})
        terms[0].pop("gradient_norm")
        dispersive = [one.pop("dispersive") for one in terms]  # of two clips: a single cosine
        assert dispersive[0] == pytest.approx(dispersive[1], rel=5 * tolerance)
        assert terms[0] == pytest.approx(terms[1], rel=tolerance)
        curves.append(terms[0]["reconstruction"])
    assert curves[-1] < 0.95 * curves[0]


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
    assert format_quartiles([1.0, 2.0, 3.0, 4.0, 5.0]) == "3.00 (2.00 to 4.00)"
    assert format_quartiles([2.0]) == "2.00 (2.00 to 2.00)"
