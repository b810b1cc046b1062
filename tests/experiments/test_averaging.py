import pytest
import torch
from torch import nn

from dcvae import SpeechAutoencoder
from experiments.averaging import averaged
from experiments.trainer import Trainer


def test_average_by_hand():
    model = nn.Linear(1, 1, bias=False)
    average = averaged(model, 0.75)
    values = []
    for weight in (4.0, 8.0, 0.0):
        nn.init.constant_(model.weight, weight)
        average.update_parameters(model)
        values.append(average.module.weight.item())
    assert values == [4.0, 0.75 * 4 + 0.25 * 8, 0.75 * 5 + 0.25 * 0]
    assert not average.module.weight.requires_grad


@pytest.mark.parametrize("decay", [0.0, 1.0, 1, -0.5, "most"])
def test_a_decay_is_between_0_and_1(decay):
    with pytest.raises(ValueError, match=r"trainer\.ema is a decay between 0 and 1 such as 0\.999"):
        averaged(nn.Linear(1, 1), decay)


def test_the_average_is_judged_and_kept(trainer, tmp_path, monkeypatch):
    update, weights = Trainer.update, []

    def watched(self):
        norm = update(self)
        weights.append({k: v.clone() for k, v in self.model.state_dict().items()})
        return norm

    monkeypatch.setattr(Trainer, "update", watched)
    run = trainer(tmp_path, ema=0.5, steps=3)
    run.fit()
    kept = SpeechAutoencoder.from_pretrained(tmp_path / "last")
    first, second, third = weights
    expected = {k: 0.25 * first[k] + 0.25 * second[k] + 0.5 * third[k] for k in first}
    torch.testing.assert_close(kept.state_dict(), expected)
    judged = run.validation.run(kept, 0, run.tracker)["validation/reconstruction"]
    assert run.progress.best == pytest.approx(judged, rel=1e-5)
