import pytest
import torch

from dcvae import Latent, Reconstruction
from experiments.training.objective import Objective


def objective(**weights: float) -> Objective:
    names = ("reconstruction", "kl", "adversarial", "feature_matching")
    sections = {name: {"weight": weights.get(name, 0.0)} for name in names}
    dispersive = {"weight": weights.get("dispersive", 0.0), "form": "cosine", "temperature": 1.0}
    return Objective(dispersive=dispersive, **sections)


MEL = torch.zeros(2, 80, 4)
LATENT = Latent(torch.ones(2, 1, 1, 2, requires_grad=True), torch.ones(2, 1, 1, 2))


def test_total_is_the_weighted_sum_of_what_is_logged():
    output = Reconstruction(torch.full_like(MEL, 0.5, requires_grad=True), LATENT)
    terms = objective(reconstruction=5.0, dispersive=0.25).terms(MEL, output)
    assert {name: term.item() for name, term in terms.items()} == pytest.approx(
        {"reconstruction": 0.5, "dispersive": 1.0}
    )
    total = objective(reconstruction=5.0, dispersive=0.25).total(terms)
    assert total.item() == pytest.approx(5 * 0.5 + 0.25 * 1.0)


def test_weight_zero_measures_without_gradient_and_without_spreading_nan():
    terms = {"reconstruction": torch.tensor(1.0), "dispersive": torch.tensor(float("nan"))}
    assert objective(reconstruction=2.0).total(terms).item() == 2.0


def test_kl_appears_with_a_learned_posterior_alone():
    output = Reconstruction(MEL, LATENT)
    assert "kl" not in objective().terms(MEL, output)
    learned = Latent(LATENT.clean, LATENT.noisy, torch.zeros_like(LATENT.clean))
    assert objective().terms(MEL, Reconstruction(MEL, learned))["kl"].item() == pytest.approx(0.5)


def test_nothing_to_train_on_is_an_error():
    with pytest.raises(ValueError, match="every loss has weight 0"):
        objective().total({"reconstruction": torch.tensor(1.0)})


def test_a_stray_key_is_a_type_error():
    with pytest.raises(TypeError, match="wieght"):
        Objective(
            reconstruction={"wieght": 1.0},
            dispersive={"weight": 0.0, "form": "cosine", "temperature": 1.0},
            kl={"weight": 0.0},
            adversarial={"weight": 0.0},
            feature_matching={"weight": 0.0},
        )


def test_clips_repel_those_that_other_processes_hold():
    other = torch.tensor([[[[1.0, -1.0]]]])  # orthogonal to the ones here
    everyone = objective(dispersive=1.0)
    everyone.gather = lambda rows: torch.cat([rows, other])
    term = everyone.terms(MEL, Reconstruction(MEL, LATENT))["dispersive"]
    assert term.item() == pytest.approx(1 / 3)  # one of three pairs points the same way


def test_a_batch_of_one_clip_has_no_pairs():
    alone = Latent(LATENT.clean[:1], LATENT.noisy[:1])
    terms = objective(dispersive=1.0).terms(MEL[:1], Reconstruction(MEL[:1], alone))
    assert list(terms) == ["reconstruction"]
