import json
from functools import partial
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator, DataLoaderConfiguration
from accelerate.utils import set_seed

from dcvae import SpeechAutoencoder
from dcvae.discriminators import PatchDiscriminator
from dcvae.vocoders import load_vocoder
from experiments.adversary import Adversary
from experiments.checkpointing import Progress
from experiments.data.clips import training_loader, validation_waves
from experiments.metering import Meter, NonFiniteLossError
from experiments.objective import Objective
from experiments.optim import build_optimizers
from experiments.tracking import Tracker
from experiments.trainer import Trainer
from experiments.validation import Validation

MANIFEST = Path(__file__).parents[1] / "data" / "manifest.csv"
TIMES = ("time", "train/speech_per_second", "train/steps_per_second")
OPTIMIZER = partial(
    build_optimizers,
    lr=2e-3,
    muon=True,
    muon_scale=0.2,
    momentum=0.9,
    betas=(0.8, 0.99),
    weight_decay=0.0,
)


def trainer(run_dir: Path, seed: int = 0, **options: object) -> Trainer:
    """Six steps of a small model on real speech; the critic takes part from the third."""
    run_dir.mkdir(parents=True, exist_ok=True)
    set_seed(seed)
    accelerator = Accelerator(
        cpu=True, dataloader_config=DataLoaderConfiguration(split_batches=True)
    )
    model = SpeechAutoencoder(
        channels=[8, 8, 8, 16, 16], encoder_layers=[0, 1, 1, 1, 1], decoder_layers=[0, 1, 1, 1, 1]
    )
    weights = {"reconstruction": 5.0, "kl": 0.0, "adversarial": 1.0, "feature_matching": 2.0}
    lengths = {"steps": 6, "warmup": 2, "log_every": 1, "validate_every": 3, "save_every": 3}
    return Trainer(
        accelerator=accelerator,
        model=model,
        objective=Objective(
            dispersive={"weight": 0.25, "form": "cosine", "temperature": 1.0},
            **{name: {"weight": weight} for name, weight in weights.items()},
        ),
        optimizers=OPTIMIZER([model]),
        adversary=Adversary(
            patch=PatchDiscriminator(2), bands=None, optimizer=OPTIMIZER, start=1 / 3
        ),
        loader=training_loader(MANIFEST, segment_frames=64, batch_size=2, seed=seed),
        validation=Validation(
            waves=validation_waves(MANIFEST, count=2, max_seconds=1.0),
            examples=1,
            vocoder=load_vocoder("griffin_lim"),
            run_dir=run_dir,
            device=torch.device("cpu"),
        ),
        tracker=Tracker(run_dir),
        run_dir=run_dir,
        final_lr=0.1,
        clip_norm=500.0,
        **(lengths | options),
    )


def curves(run_dir: Path) -> list[dict[str, float]]:
    """What was logged, but for the times."""
    rows = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    return [{name: row[name] for name in row if name not in TIMES} for row in rows]


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    run_dir = tmp_path_factory.mktemp("run")
    trainer(run_dir).fit()
    return run_dir


def test_logs_every_term_and_validation(finished):
    rows = curves(finished)
    assert [row["step"] for row in rows] == [1, 2, 3, 3, 4, 5, 6, 6]
    assert {"train/reconstruction", "train/dispersive", "train/loss"} <= set(rows[0])
    assert "train/adversarial" not in rows[1]
    assert {"train/adversarial", "train/feature_matching", "train/critic"} <= set(rows[2])
    loss = 5 * rows[0]["train/reconstruction"] + 0.25 * rows[0]["train/dispersive"]
    assert rows[0]["train/loss"] == pytest.approx(loss, rel=1e-5)
    assert "validation/reconstruction" in rows[3]


def test_keeps_checkpoints_pictures_and_sound(finished):
    for name in ("last", "best"):
        assert SpeechAutoencoder.from_pretrained(finished / name).parameters_count > 0
    suffixes = sorted(path.suffix for path in (finished / "validation").iterdir())
    assert suffixes == [".png", ".png", ".wav", ".wav"]


def test_same_seed_gives_the_same_losses_bit_for_bit(finished, tmp_path):
    trainer(tmp_path).fit()
    assert curves(tmp_path) == curves(finished)


def test_another_seed_gives_others(finished, tmp_path):
    trainer(tmp_path, seed=1).fit()
    assert curves(tmp_path)[0] != curves(finished)[0]


def test_resumed_run_equals_the_undisturbed_one(finished, tmp_path, monkeypatch):
    """Killed in the fifth step, after the state of the third: the same losses and weights."""
    train_step = Trainer.train_step

    def die(self, wave, step):
        if step == 4:
            raise KeyboardInterrupt
        return train_step(self, wave, step)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Trainer, "train_step", die)
        trainer(tmp_path).fit()
    assert curves(tmp_path)[-1]["step"] == 4
    trainer(tmp_path).fit()
    assert curves(tmp_path) == curves(finished)
    for name in ("last", "best"):
        ours = SpeechAutoencoder.from_pretrained(tmp_path / name).state_dict()
        theirs = SpeechAutoencoder.from_pretrained(finished / name).state_dict()
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_first_non_finite_loss_ends_training_by_name(tmp_path):
    broken = trainer(tmp_path, log_every=3)
    terms = broken.objective.terms

    def poisoned(mel, output):
        found = terms(mel, output)
        return found | {"dispersive": found["dispersive"] * float("nan")}

    broken.objective.terms = poisoned
    with pytest.raises(NonFiniteLossError, match="dispersive became nan at step 1"):
        broken.fit()
    assert not (tmp_path / "state").exists()


def test_meter_counts_speech_without_padding():
    meter = Meter(Accelerator(cpu=True))
    wave = torch.cat([torch.ones(2, 22050), torch.zeros(2, 11025)], dim=1)
    meter.start()
    meter.stop(1, {"loss": torch.tensor(1.0)}, wave)
    progress = Progress()
    metrics = meter.flush(progress)
    assert progress.speech_seconds == pytest.approx(2.0)
    assert metrics["train/speech_per_second"] == pytest.approx(2.0 / progress.seconds)
