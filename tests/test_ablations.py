"""Every file of the registry and every cell of its factorial: it builds, and trains a step."""

from functools import cache
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from dcvae import LogMel, SpeechAutoencoder
from dcvae.claims import COMPONENTS
from dcvae.models.bottleneck import Bottleneck
from experiments.ablations import compositions
from experiments.config import (
    ablation_overrides,
    chosen_ablation,
    compose_runs,
    hydra_overrides,
    read_registry,
)
from experiments.record import flatten
from experiments.training.builder import build_accelerator, build_trainer

CONF = Path(__file__).parents[1] / "experiments" / "conf"
MANIFEST = Path(__file__).parent / "data" / "manifest.csv"
REGISTRY = read_registry()
NAMES = sorted(REGISTRY.files)
CHANGED = [name for name in NAMES if name != "baseline"]
SIZES = ["debug", "tiny", "base", "full"]
REQUIRED = {
    "baseline", "plain_ae", "no_noise", "fixed_noise", "normal_noise", "kl_vae_1e-4",
    "kl_vae_1e-3", "kl_vae_1e-2", "no_layernorm", "no_dispersive", "dispersive_infonce",
    "no_adversary", "no_patch_critic", "no_band_critic", "no_feature_matching",
    "compression_8x", "compression_32x", "compression_8x_matched", "compression_16x_matched",
    "compression_32x_matched",
}  # fmt: skip
REFERENCE = "compression_16x_matched"  # that others compare with; it claims nothing
MATCHED = ("compression_8x_matched", "compression_32x_matched")
FACTORS = ("no_noise", "no_layernorm", "no_dispersive", "no_adversary")
CELLS = [REGISTRY.name(cell) for cell in compositions(FACTORS)]


@cache
def composed(ablation: str, size: str = "debug") -> DictConfig:
    overrides = [*ablation_overrides(ablation, REGISTRY), f"size={size}"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", overrides=overrides)


def leaves(cfg: DictConfig) -> dict[str, object]:
    tree = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(tree, dict)
    return flatten({str(name): value for name, value in tree.items()})


@cache
def model_of(ablation: str, size: str) -> SpeechAutoencoder:
    """Without memory for its weights."""
    with torch.device("meta"):
        return instantiate(composed(ablation, size).model)


def test_registry_is_complete():
    assert set(NAMES) >= REQUIRED


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", CHANGED)
def test_every_leaf_exists_in_the_baseline_and_differs_from_it(name, size):
    """A misspelt key would train the baseline under the ablation's name."""
    baseline = leaves(composed("baseline", size))
    changes = REGISTRY.changes(name)
    assert changes
    for key, value in changes.items():
        if value is None:  # takes a whole section away
            assert any(leaf.startswith(f"{key}.") for leaf in baseline), key
        else:
            assert key in baseline, key
            assert baseline[key] != value, key
    assert set(leaves(composed(name, size))) - set(changes) <= set(baseline)


@pytest.mark.parametrize("name", NAMES)
def test_is_short(name):
    text = (CONF / "ablation" / f"{name}.yaml").read_text()
    assert len(text.splitlines()) <= 15
    assert text.startswith("# @package _global_\n")


@pytest.mark.parametrize("name", CHANGED)
def test_states_claims(name):
    claims = REGISTRY.claims(name)
    assert bool(claims) == (name != REFERENCE)
    assert OmegaConf.to_container(composed(name).claims) == REGISTRY.files[name].get("claims", [])
    for claim in claims:
        assert claim.text.endswith(".")
        assert claim.against in REGISTRY.files
        assert (claim.against == REFERENCE) == (name in MATCHED)


def test_every_component_is_spoken_of():
    spoken = {claim.component for name in NAMES for claim in REGISTRY.claims(name)}
    assert spoken == set(COMPONENTS)


def test_baseline_changes_nothing():
    assert not REGISTRY.files["baseline"]


def test_a_named_composition_is_the_set_of_its_parts():
    (by_name,) = compose_runs("plain_ae", [0], ["size=debug"])
    (by_hand,) = compose_runs("[no_noise,no_dispersive,no_layernorm]", [0], ["size=debug"])
    assert by_name == by_hand
    assert by_name.run_dir == Path("runs/debug/plain_ae/seed0")
    assert by_name.config["model"]["noise"] == "none"
    assert by_name.config["model"]["layernorm"] is False
    assert by_name.config["losses"]["dispersive"]["weight"] == 0.0


@pytest.mark.parametrize("name", CELLS)
def test_a_composition_changes_what_its_parts_change_and_claims_nothing_of_its_own(name):
    expected = leaves(composed("baseline"))
    for part in REGISTRY.parts(name):
        for key, value in REGISTRY.changes(part).items():
            kept = {leaf: old for leaf, old in expected.items() if not leaf.startswith(f"{key}.")}
            expected = {**kept, key: value}
    claims = REGISTRY.files.get(name, {}).get("claims", [])
    assert leaves(composed(name)) == {**expected, "claims": claims}


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["seed=3"], "baseline"),
        (["ablation=no_noise", "seed=3"], "no_noise"),
        (["ablation=[no_noise]"], "no_noise"),
        (["ablation=[no_noise, no_adversary]"], "no_adversary+no_noise"),
        (["ablation=no_noise+no_adversary"], "no_adversary+no_noise"),
        (["ablation=[plain_ae,no_noise,no_adversary]"], "+".join(sorted(FACTORS))),
        (["ablation=[kl_vae_1e-4,no_dispersive]"], "kl_vae_1e-4+no_dispersive"),
    ],
)
def test_run_py_takes_a_name_or_a_list(arguments, name):
    overrides = hydra_overrides(arguments, REGISTRY)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("config", overrides=overrides, return_hydra_config=True)
    assert chosen_ablation(cfg.hydra.overrides.task, REGISTRY) == name
    (same,) = compose_runs(name, [cfg.seed], [])
    found = OmegaConf.to_container(OmegaConf.masked_copy(cfg, list(same.config)), resolve=True)
    assert found == same.config


def test_hydras_own_sweep_is_left_alone():
    assert hydra_overrides(["ablation=no_noise,kl_vae_1e-3"], REGISTRY) == [
        "ablation=no_noise,kl_vae_1e-3"
    ]


@pytest.mark.parametrize("name", sorted({*NAMES, *CELLS}))
def test_builds_and_takes_one_training_step(name, tmp_path, speech):
    cfg = composed(name)
    config = compose_runs(name, [0], ["size=debug", "precision=no"])[0].config
    trainer = build_trainer(config, build_accelerator(config, cpu=True), MANIFEST, tmp_path)
    before = [parameter.detach().clone() for parameter in trainer.model.parameters()]
    terms = trainer.train_step(speech, step=1)  # the second step: the critics take part
    changed = [
        not torch.equal(old, new)
        for old, new in zip(before, trainer.model.parameters(), strict=True)
    ]
    assert all(torch.isfinite(term) for term in terms.values())
    assert sum(changed) > 0.9 * len(changed)
    assert ("critic" in terms) == (cfg.adversary is not None)
    assert ("kl" in terms) == name.startswith("kl_vae")
    assert trainer.model(LogMel()(speech)).mel.shape == (4, 80, 64)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", MATCHED)
def test_a_matched_compression_has_the_free_floats_and_parameters_of_16x(name, size):
    """C - 2 of the channels of a cell are free; bins and frames are those of padded mel."""
    model, reference = model_of(name, size), model_of(REFERENCE, size)
    assert model.free_floats_per_second == pytest.approx(reference.free_floats_per_second, rel=0.02)
    assert model.parameters_count == pytest.approx(reference.parameters_count, rel=0.1)
    assert reference.free_floats_per_second == pytest.approx(12 * 5 * 22050 / 256 / 16)
    assert reference.parameters_count == pytest.approx(
        model_of("baseline", size).parameters_count, rel=0.02
    )


@pytest.mark.parametrize("name", sorted(set(NAMES) - {*MATCHED, REFERENCE}))
def test_free_floats_and_parameters_of_all_others(name):
    """At size tiny: those that turn the knob of compression have other rates, and say so."""
    model, baseline = model_of(name, "tiny"), model_of("baseline", "tiny")
    cells = {"compression_8x": 4.0, "compression_32x": 0.3}.get(name, 1.0)  # to the baseline's
    free = 14 if composed(name, "tiny").model.layernorm else 16
    assert model.floats_per_second == pytest.approx(cells * baseline.floats_per_second)
    assert model.free_floats_per_second == pytest.approx(model.floats_per_second * free / 16)
    if cells == 1.0:
        assert model.parameters_count == pytest.approx(baseline.parameters_count, rel=0.01)


@pytest.mark.parametrize("name", ["baseline", "fixed_noise", "normal_noise"])
def test_noise_laws_have_equal_power(name):
    """E[sigma^2]: std^2 / 3 of U(0, std), std^2 of one level and of N(0, std); and as sampled."""
    noise, std = (composed(name).model[key] for key in ("noise", "noise_std"))
    power = std**2 / 3 if noise == "uniform" else std**2
    assert power == pytest.approx(1 / 12, rel=1e-3)
    torch.manual_seed(0)
    clean = torch.zeros(40_000, 1, 4, 4)
    sampled = Bottleneck(1, False, noise, std).train().add_noise(clean, None).square().mean()
    assert sampled == pytest.approx(1 / 12, rel=0.05)  # some five standard errors


@pytest.mark.parametrize("size", ["tiny", "base", "full"])
@pytest.mark.parametrize("name", NAMES)
def test_every_size_can_have_it(name, size):
    assert model_of(name, size).parameters_count > 0
