"""Every file of the registry: it adds nothing, changes something, builds, and trains a step."""

from functools import cache
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from dcvae import LogMel
from experiments.flattening import flatten
from experiments.objective import Objective
from experiments.trainer import Trainer

CONF = Path(__file__).parents[1] / "experiments" / "conf"
NAMES = sorted(path.stem for path in (CONF / "ablation").glob("*.yaml"))
CHANGED = [name for name in NAMES if name != "baseline"]
REQUIRED = {
    "baseline", "plain_ae", "no_noise", "fixed_noise", "normal_noise", "kl_vae", "no_layernorm",
    "no_dispersive", "dispersive_infonce", "no_adversary", "no_patch_critic", "no_band_critic",
    "compression_8x", "compression_32x", "compression_8x_matched", "compression_32x_matched",
}  # fmt: skip


@cache
def composed(ablation: str, size: str = "debug") -> DictConfig:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", overrides=[f"ablation={ablation}", f"size={size}"])


def leaves(cfg: DictConfig) -> dict[str, object]:
    tree = OmegaConf.to_container(cfg)
    assert isinstance(tree, dict)
    return flatten({str(name): value for name, value in tree.items()})


def overlay(name: str) -> dict[str, object]:
    return leaves(OmegaConf.load(CONF / "ablation" / f"{name}.yaml"))


def test_registry_is_complete():
    assert set(NAMES) >= REQUIRED


@pytest.mark.parametrize("size", ["debug", "tiny", "base", "full"])
@pytest.mark.parametrize("name", CHANGED)
def test_every_leaf_exists_in_the_baseline_and_differs_from_it(name, size):
    """A misspelt key would train the baseline under the ablation's name."""
    baseline = leaves(composed("baseline", size))
    written = overlay(name)
    changes = {key: value for key, value in written.items() if not key.startswith("claim.")}
    assert changes
    for key, value in written.items():
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
def test_states_a_claim(name):
    claim = composed(name).claim
    assert claim.text.endswith(".")
    assert claim.direction in ("up", "down")
    assert claim.metric


def test_baseline_changes_nothing():
    assert not overlay("baseline")


def trainer_for(cfg: DictConfig, tmp_path: Path) -> Trainer:
    """A trainer without data, tracking or validation: enough for one step."""
    torch.manual_seed(0)
    model = instantiate(cfg.model)
    return Trainer(
        accelerator=Accelerator(cpu=True),
        model=model,
        objective=Objective(**OmegaConf.to_container(cfg.losses)),
        optimizers=instantiate(cfg.optimizer)([model]),
        adversary=instantiate(cfg.adversary),
        loader=torch.utils.data.DataLoader([torch.zeros(1)]),
        validation=None,
        tracker=None,
        run_dir=tmp_path,
        **cfg.trainer,
    )


@pytest.mark.parametrize("name", NAMES)
def test_builds_and_takes_one_training_step(name, tmp_path, speech):
    cfg = composed(name)
    trainer = trainer_for(cfg, tmp_path)
    before = [parameter.detach().clone() for parameter in trainer.model.parameters()]
    terms = trainer.train_step(speech, step=1)  # the second step: the critics take part
    changed = [
        not torch.equal(old, new)
        for old, new in zip(before, trainer.model.parameters(), strict=True)
    ]
    assert all(torch.isfinite(term) for term in terms.values())
    assert sum(changed) > 0.9 * len(changed)
    assert ("critic" in terms) == (cfg.adversary is not None)
    assert ("kl" in terms) == (name == "kl_vae")
    assert trainer.model(LogMel()(speech)).mel.shape == (4, 80, 64)


@pytest.mark.parametrize("size", ["debug", "tiny", "base", "full"])
def test_matched_rates_are_near_the_baselines(size):
    for name in ("compression_8x_matched", "compression_32x_matched"):
        with torch.device("meta"):
            model = instantiate(composed(name, size).model)
        assert model.floats_per_second == pytest.approx(430.66, rel=0.02)


@pytest.mark.parametrize("size", ["tiny", "base", "full"])
@pytest.mark.parametrize("name", NAMES)
def test_every_size_can_have_it(name, size):
    with torch.device("meta"):
        assert instantiate(composed(name, size).model).parameters_count > 0
