import dataclasses

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor

from dcvae import SpeechAutoencoder
from experiments.training.checkpointing import Progress
from experiments.training.metrics import MetricsLogger, NonFiniteLossError


@pytest.fixture(scope="module")
def finished(trainer, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("run")
    trainer(run_dir).fit()
    return run_dir


def test_logs_every_term_and_validation(finished, curves):
    rows = curves(finished)
    assert [row["step"] for row in rows] == [1, 2, 3, 3, 4, 5, 6, 6]
    assert {"train/reconstruction", "train/dispersive", "train/loss"} <= set(rows[0])
    assert "train/adversarial" not in rows[1]
    assert {"train/adversarial", "train/feature_matching", "train/critic"} <= set(rows[2])
    loss = 5 * rows[0]["train/reconstruction"] + 0.25 * rows[0]["train/dispersive"]
    assert rows[0]["train/loss"] == pytest.approx(loss, rel=1e-5)
    assert {"validation/reconstruction", "validation/latent_rms"} <= set(rows[3])


def test_keeps_checkpoints_pictures_and_sound(finished):
    for name in ("last", "best"):
        assert SpeechAutoencoder.from_pretrained(finished / name).parameters_count > 0
    suffixes = sorted(path.suffix for path in (finished / "validation").iterdir())
    assert suffixes == [".png", ".png", ".wav", ".wav"]


def test_same_seed_gives_the_same_losses_bit_for_bit(finished, trainer, curves, tmp_path):
    trainer(tmp_path).fit()
    assert curves(tmp_path) == curves(finished)


def test_another_seed_gives_others(finished, trainer, curves, tmp_path):
    trainer(tmp_path, seed=1).fit()
    assert curves(tmp_path)[0] != curves(finished)[0]


def test_resumed_run_equals_the_undisturbed_one(finished, trainer, interrupt, curves, tmp_path):
    """Killed in the fifth step, after the state of the third: the same losses and weights."""
    interrupt(trainer(tmp_path), 4)
    assert curves(tmp_path)[-1]["step"] == 4
    trainer(tmp_path).fit()
    assert curves(tmp_path) == curves(finished)
    assert_same_models(tmp_path, finished)


def test_resumes_amid_accumulated_batches_with_an_average(trainer, interrupt, curves, tmp_path):
    """Three batches an epoch and two a step: steps go across the ends of epochs."""
    options = {"gradient_accumulation_steps": 2, "ema_decay": 0.5}
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    trainer(whole, **options).fit()
    interrupt(trainer(resumed, **options), 4)
    trainer(resumed, **options).fit()
    assert curves(resumed) == curves(whole)
    assert [row["step"] for row in curves(whole)] == [1, 2, 3, 3, 4, 5, 6, 6]
    assert_same_models(resumed, whole)


def distance(one: list[Tensor], other: list[Tensor]) -> float:
    return float(torch.stack([(a - b).norm() for a, b in zip(one, other, strict=True)]).norm())


def assert_same_models(one, other) -> None:
    for name in ("last", "best"):
        ours = SpeechAutoencoder.from_pretrained(one / name).state_dict()
        theirs = SpeechAutoencoder.from_pretrained(other / name).state_dict()
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


@pytest.mark.parametrize(("start", "learner"), [(None, 0), (0.0, 1)])
def test_accumulated_batches_make_the_step_of_one_large_batch(trainer, tmp_path, start, learner):
    """Without what looks at a batch as a whole. The autoencoder alone, then its critics: with
    accumulation all batches of a step but the last are judged by critics before their step.
    """

    def step(**batches: int) -> tuple[list[Tensor], list[Tensor]]:
        run = trainer(tmp_path / str(batches), adversary_start=start, **batches, **options)
        before = [p.detach().clone() for p in run.learners[learner].parameters()]
        run.fit()
        return before, [p.detach() for p in run.learners[learner].parameters()]

    def sgd(modules):
        return [torch.optim.SGD(modules[0].parameters(), lr=1e-2)]

    options = {"noise": "none", "dispersive": 0.0, "optimizer": sgd, "steps": 1, "warmup_steps": 0}
    before, large = step(batch_size=4, gradient_accumulation_steps=1)
    _, parts = step(batch_size=2, gradient_accumulation_steps=2)
    assert max((a - b).abs().max() for a, b in zip(before, large, strict=True)) > 1e-4
    # of an absolute error's gradient a sign is left, which rounding turns where the error is near
    # 0: one of 20,480 moves the whole by 1 / sqrt(20,480), 1%; a batch too many or too few by half
    way = distance(before, large)
    assert distance(parts, large) < 0.02 * way


def test_a_step_has_a_batch(trainer, tmp_path):
    with pytest.raises(ValueError, match=r"gradient_accumulation_steps must be a whole number, 1"):
        trainer(tmp_path, gradient_accumulation_steps=0)


def test_first_non_finite_loss_ends_training_by_name(trainer, tmp_path):
    broken = trainer(tmp_path, log_every=3)
    terms = broken.objective.terms

    def poisoned(mel, output):
        found = terms(mel, output)
        return found | {"dispersive": found["dispersive"] * float("nan")}

    broken.objective.terms = poisoned
    with pytest.raises(NonFiniteLossError, match="dispersive became nan at step 1"):
        broken.fit()
    assert not (tmp_path / "state").exists()


def test_weights_that_are_not_finite_take_no_ones_place(trainer, tmp_path):
    """Validated or saved between two logs: the last good weights and state stay."""
    options = {"log_every": 6, "validate_every": 2, "save_every": 3, "adversary_start": None}
    first = trainer(tmp_path, **options)
    train_batch = first.train_batch

    def broken_at(step):
        def poisoned(mel, now):
            terms = train_batch(mel, now)
            if now + 1 == step:
                next(first.model.parameters()).data.fill_(float("nan"))
            return terms

        return poisoned

    first.train_batch = broken_at(4)
    with pytest.raises(NonFiniteLossError, match="validation/reconstruction became nan at step 4"):
        first.fit()
    kept = SpeechAutoencoder.from_pretrained(tmp_path / "last").state_dict()
    assert all(bool(torch.isfinite(weight).all()) for weight in kept.values())
    second = trainer(tmp_path, **options)
    first, train_batch = second, second.train_batch
    second.settings = dataclasses.replace(second.settings, validate_every=6, save_every=1)
    second.train_batch = broken_at(5)
    with pytest.raises(NonFiniteLossError, match="is not finite at step 5"):
        second.fit()
    assert [path.name for path in (tmp_path / "states").iterdir() if path.name[-1] == "5"] == []


def test_meter_counts_speech_without_padding():
    logger = MetricsLogger(Accelerator(cpu=True))
    wave = torch.cat([torch.ones(2, 22050), torch.zeros(2, 11025)], dim=1)
    logger.start()
    logger.stop(1, {"loss": torch.tensor(1.0)}, wave)
    progress = Progress()
    metrics = logger.flush(progress)
    assert progress.speech_seconds == pytest.approx(2.0)
    assert metrics["train/speech_per_second"] == pytest.approx(2.0 / progress.seconds)
