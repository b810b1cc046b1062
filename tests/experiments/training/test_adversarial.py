from functools import partial

import pytest
import torch
from accelerate import Accelerator

from dcvae.models.discriminators import MultiBandDiscriminator, PatchDiscriminator
from experiments.training.adversarial import Adversary
from experiments.training.optimizers import build_optimizers

OPTIMIZER = partial(
    build_optimizers,
    lr=5e-3,
    muon=None,
    adamw={"betas": (0.8, 0.99)},
    weight_decay=0.0,
)


def adversary() -> Adversary:
    torch.manual_seed(0)
    one = Adversary(
        patch=PatchDiscriminator(2),
        bands=MultiBandDiscriminator(2),
        optimizer=OPTIMIZER,
        start_fraction=0.5,
    )
    one.prepare(Accelerator(cpu=True))
    return one


REAL = torch.randn(2, 80, 64, generator=torch.Generator().manual_seed(0))
FAKE = torch.randn(2, 80, 64, generator=torch.Generator().manual_seed(1)) * 0.3


def test_judging_passes_gradient_to_the_fake_and_leaves_none_on_the_critics():
    critic, fake = adversary(), FAKE.clone().requires_grad_()
    terms = critic.generator_losses(REAL, fake)
    (terms["adversarial"] + terms["feature_matching"]).backward()
    assert fake.grad.abs().sum() > 0
    assert all(p.grad is None for p in critic.critics.parameters())
    assert all(p.requires_grad for p in critic.critics.parameters())


def test_judging_equals_unfrozen_critics_that_see_real_with_gradient():
    """The frugal way gives the terms and the gradient of the plain one."""
    critic, frugal, plain = (
        adversary(),
        FAKE.clone().requires_grad_(),
        FAKE.clone().requires_grad_(),
    )
    terms = critic.generator_losses(REAL, frugal)
    (terms["adversarial"] + 2 * terms["feature_matching"]).backward()
    loss = torch.zeros(())
    for one in critic.critics:
        real, fake = one(REAL), one(plain)
        loss = loss + (1 - fake.logits).square().mean()
        for r, f in zip(real.features, fake.features, strict=True):
            loss = loss + 2 * len(f) * (r - f).abs().mean()
    loss.backward()
    # sums of |real - fake| leave signs, which rounding turns where features are equal: no one value
    # is sure, the whole is. Real features with gradient, or a term left out, change a tenth or more
    assert (frugal.grad - plain.grad).norm() < 0.01 * plain.grad.norm()


def test_learning_tells_real_from_fake():
    critic = adversary()
    losses = [critic.discriminator_step(REAL, FAKE, 500.0)["critic"].item() for _ in range(30)]
    assert losses[-1] < 0.5 * losses[0]


def test_needs_a_critic_and_a_share():
    with pytest.raises(ValueError, match="adversary=null"):
        Adversary(patch=None, bands=None, optimizer=OPTIMIZER, start_fraction=0.5)
    with pytest.raises(ValueError, match="from 0 to 1"):
        Adversary(patch=PatchDiscriminator(2), bands=None, optimizer=OPTIMIZER, start_fraction=500)
