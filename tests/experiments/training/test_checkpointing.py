import json
import logging
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from huggingface_hub import ModelCard

from dcvae import SpeechAutoencoder
from dcvae.data.provenance import Training
from dcvae.models.pretrained import CheckpointError
from dcvae.utils.files import files_sha256
from experiments.training.checkpointing import Checkpoints

STEPS = {"steps": 9, "save_every": 3}


def test_every_saved_model_has_the_card_of_its_step(tmp_path):
    layers = [0, 1, 1, 1, 1]
    model = SpeechAutoencoder(channels=[16] * 5, encoder_layers=layers, decoder_layers=layers)
    described = Training(size="debug", ablation="baseline", seed=0, steps=6)
    checkpoints = Checkpoints(tmp_path, Accelerator(cpu=True), described)
    for name, step in (("best", 3), ("last", 6)):
        checkpoints.save_model(model, name, step)
        card = ModelCard.load(tmp_path / name / "README.md")
        assert f"| step | {step} of 6 |" in card.text
    assert SpeechAutoencoder.from_pretrained(tmp_path / "last").config == model.config


def test_the_last_two_states_are_kept(trainer, tmp_path):
    trainer(tmp_path, **STEPS).fit()
    assert [path.name for path in states(tmp_path)] == ["step000000006", "step000000009"]


def states(run_dir: Path) -> list[Path]:
    return sorted((run_dir / "states").iterdir())


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer_1.bin", "progress.json"])
def test_a_damaged_state_gives_way_to_the_one_before(trainer, tmp_path, caplog, name):
    """Each time another file of it is damaged; the run ends as if nothing had been."""
    whole, hurt = tmp_path / "whole", tmp_path / "hurt"
    for folder in (whole, hurt):
        trainer(folder, **STEPS).fit()
    file = states(hurt)[1] / name
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2] + b"?" + content[len(content) // 2 + 1 :])
    with caplog.at_level(logging.WARNING, logger="experiments"):
        trainer(hurt, **STEPS).fit()
    assert "step000000009 is damaged" in caplog.text
    for kind in ("last", "best"):
        weights = [run / kind / "model.safetensors" for run in (whole, hurt)]
        assert weights[0].read_bytes() == weights[1].read_bytes()
    assert len(states(hurt)) == 2


@pytest.mark.parametrize(
    "written",
    [
        "[" * 100_000 + "]" * 100_000,
        "[]",
        '{"progress": {"step": 1}, "sha256": 3}',
        '{"progress": {"step": "1"}, "sha256": {}}',
        '{"progress": {"step": -1}, "sha256": {}}',
        '{"progress": {"step": 1, "lookahead": 2}, "sha256": {}}',
        '{"progress": {"step": 1}, "sha256": {"../../../../../../../../dev/zero": "0"}}',
    ],
    ids=range(7),
)
def test_progress_that_is_none_is_told(tmp_path, written):
    folder = tmp_path / "states" / "step000000001"
    folder.mkdir(parents=True)
    (folder / "progress.json").write_text(written)
    checkpoints = Checkpoints(tmp_path, Accelerator(cpu=True), Training())
    with pytest.raises(CheckpointError, match=r"no state in .* is whole"):
        checkpoints.load_state()


class Harm:
    """Unpickling it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.write_text, (self.path, "harm")


@pytest.mark.parametrize("name", ["optimizer.bin", "random_states_0.pkl"])
def test_nothing_of_a_foreign_state_is_executed(trainer, tmp_path, name):
    """Though its digests say that it is whole."""
    run_dir, harmed = tmp_path / "run", tmp_path / "harmed"
    trainer(run_dir, **STEPS).fit()
    for folder in states(run_dir):
        torch.save({"state": Harm(harmed)}, folder / name)
        progress = json.loads((folder / "progress.json").read_text())
        progress["sha256"][name] = files_sha256(folder / name)
        (folder / "progress.json").write_text(json.dumps(progress))
    with suppress(CheckpointError):  # random states that cannot be read are drawn anew
        trainer(run_dir, **STEPS).fit()
    assert not harmed.exists()


def test_no_whole_state_is_an_error(trainer, tmp_path):
    trainer(tmp_path, **STEPS).fit()
    for folder in states(tmp_path):
        (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"no state in .* is whole; remove"):
        trainer(tmp_path, **STEPS).fit()


def test_a_state_of_another_architecture_is_an_error(trainer, tmp_path):
    trainer(tmp_path, **STEPS).fit()
    with pytest.raises(CheckpointError, match=r"of another architecture .*; remove"):
        trainer(tmp_path, noise="kl", **STEPS).fit()
