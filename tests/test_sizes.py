"""What a size must keep, whatever becomes of the defaults."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

CONF = Path(__file__).parents[1] / "experiments" / "conf"
PUBLISHED = {  # DC-Speech-VAE's own training configuration
    "losses.reconstruction.weight": 5.0,
    "losses.dispersive.weight": 0.25,
    "losses.dispersive.form": "cosine",
    "losses.adversarial.weight": 1.0,
    "losses.feature_matching.weight": 2.0,
    "optimizer.lr": 1e-4,
    "optimizer.muon.scale": 1.0,
    "optimizer.muon.momentum": 0.95,
    "optimizer.adamw.betas": [0.9, 0.95],
    "optimizer.weight_decay": 0.1,
    "adversary.patch.channels": 32,
    "adversary.patch.layers": 5,
    "adversary.bands.channels": 32,
    "adversary.bands.layers": 5,
    "adversary.bands.bands": 10,
    "adversary.start_fraction": 0.0,
    "adversary.optimizer.lr": 1e-4,
    "adversary.optimizer.muon.scale": 1.0,
    "adversary.optimizer.muon.momentum": 0.95,
    "adversary.optimizer.adamw.betas": [0.9, 0.95],
    "adversary.optimizer.weight_decay": 0.1,
    "model.noise": "uniform",
    "model.noise_std": 0.5,
    "model.weight_norm": True,
    "loader.segment_frames": 960,
    "loader.batch_size": 4,
    "trainer.steps": 700_000,
    "trainer.warmup_steps": 0,
    "trainer.min_lr_ratio": 1.0,
    "trainer.max_grad_norm": 500.0,
    "trainer.ema_decay": None,
}


def composed(size: str) -> DictConfig:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", overrides=[f"size={size}"])


def test_full_is_the_published_recipe():
    cfg = composed("full")
    assert {key: OmegaConf.select(cfg, key) for key in PUBLISHED} == PUBLISHED


@pytest.mark.parametrize("size", ["tiny", "base", "full"])
def test_the_critics_take_part_from_a_fifth_of_the_run_at_the_latest(size):
    assert composed(size).adversary.start_fraction <= 0.2
