import math

import pytest
import torch
from torch import nn

from experiments.training.optimizers import (
    build_optimizers,
    set_learning_rate,
    warmup_cosine,
)


def test_filters_go_to_muon_and_all_else_to_adamw():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(1, 4))
    nn.utils.parametrizations.weight_norm(model[0])
    options = {"lr": 0.1, "adamw": {"betas": (0.9, 0.95)}, "weight_decay": 0.0}
    momentum = {"momentum": 0.9, "scale": 0.2}
    muon, adamw = build_optimizers([model], muon=momentum, **options)
    gain = model[0].parametrizations.weight.original0
    direction = model[0].parametrizations.weight.original1
    assert [id(p) for p in muon.param_groups[0]["params"]] == [id(direction)]
    rest = {id(p) for p in adamw.param_groups[0]["params"]}
    assert rest == {id(p) for p in model.parameters()} - {id(direction)}
    assert id(gain) in rest
    both, left = build_optimizers([model], muon=momentum | {"gains": True}, **options)
    assert {id(p) for p in both.param_groups[0]["params"]} == {id(gain), id(direction)}
    assert {id(p) for p in left.param_groups[0]["params"]} == rest - {id(gain)}
    (alone,) = build_optimizers([model], muon=None, **options)
    assert len(alone.param_groups[0]["params"]) == len(list(model.parameters()))


def test_warmup_cosine_by_hand():
    factors = [warmup_cosine(step, warmup=4, steps=12, final=0.1) for step in (0, 3, 4, 8, 12, 99)]
    middle = 0.1 + 0.9 / 2
    assert factors == pytest.approx([0.25, 1.0, 1.0, middle, 0.1, 0.1])
    assert warmup_cosine(0, warmup=0, steps=0, final=1.0) == 1.0
    assert math.isclose(warmup_cosine(6, warmup=4, steps=12, final=0.0), (1 + math.sqrt(0.5)) / 2)


def test_learning_rate_is_a_factor_of_the_first_one():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.3)
    for factor in (0.5, 0.1, 1.0):
        set_learning_rate([optimizer], factor)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(0.3 * factor)
