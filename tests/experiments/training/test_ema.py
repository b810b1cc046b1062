import math

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from dcvae import SpeechAutoencoder
from experiments.training.model_wrappers import ema_model
from experiments.training.trainer import Trainer


def averages(decay: float, weights: list[float]) -> tuple[list[float], AveragedModel]:
    """The average after each of these weights."""
    model = nn.Linear(1, 1, bias=False)
    average = ema_model(model, decay)
    values = []
    for weight in weights:
        nn.init.constant_(model.weight, weight)
        average.update_parameters(model)
        values.append(average.module.weight.item())
    return values, average


def test_average_by_hand():
    values, average = averages(0.9, [4.0, 8.0, 0.0])
    second = 4.0 * 2 / 11 + 8.0 * 9 / 11
    assert values == pytest.approx([4.0, second, second * 3 / 12])
    assert not average.module.weight.requires_grad


def test_the_decay_is_reached_and_not_passed():
    """(1 + n) / (10 + n) is .75 after 26 updates."""
    zeros, _ = averages(0.75, [1.0] * 26 + [0.0] * 3)
    assert zeros[-3:] == pytest.approx([0.75, 0.75**2, 0.75**3])
    low, _ = averages(0.05, [1.0, 0.0, 0.0])
    assert low == pytest.approx([1.0, 0.05, 0.05**2])


@pytest.mark.parametrize("steps", [175, 700, 4000])
def test_the_weights_that_a_run_began_with_are_forgotten_whatever_its_length(steps):
    """Of a first weight 1, then 0, is left the product of (1 + n) / (10 + n), up to N - 1."""
    values, _ = averages(0.999, [1.0] + [0.0] * (steps - 1))
    assert values[-1] == pytest.approx(10 / math.comb(steps + 9, 9), rel=1e-3)


def test_it_lags_by_a_tenth_of_the_steps():
    """Of a weight t at step t: c (t + 1) = (1 - 9 / t) (c t + 1), in the limit, is c = 1 / 10."""
    values, _ = averages(0.999, [float(step) for step in range(1, 1001)])
    assert 1000 - values[-1] == pytest.approx(100, rel=0.02)


@pytest.mark.parametrize("decay", [0.0, 1.0, 1, -0.5, "most"])
def test_a_decay_is_between_0_and_1(decay):
    with pytest.raises(ValueError, match=r"trainer\.ema_decay is a decay between 0 and 1"):
        ema_model(nn.Linear(1, 1), decay)


def test_the_average_is_judged_and_kept(trainer, tmp_path, monkeypatch):
    update, weights = Trainer.update, []

    def watched(self):
        norm = update(self)
        weights.append({k: v.clone() for k, v in self.model.state_dict().items()})
        return norm

    monkeypatch.setattr(Trainer, "update", watched)
    run = trainer(tmp_path, ema_decay=0.9, steps=3)
    run.fit()
    kept = SpeechAutoencoder.from_pretrained(tmp_path / "last")
    first, second, third = weights
    expected = {
        k: 3 / 12 * (2 / 11 * first[k] + 9 / 11 * second[k]) + 9 / 12 * third[k] for k in first
    }
    torch.testing.assert_close(kept.state_dict(), expected)
    expected = run.validation.run(kept, 0, run.tracker)["validation/reconstruction"]
    assert run.progress.best == pytest.approx(expected, rel=1e-5)
