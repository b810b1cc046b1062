"""Checkpoints of a run: `last` and `best` to use the model, `state` to go on training."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from accelerate import Accelerator
from safetensors import SafetensorError
from torch import nn

from dcvae import SpeechAutoencoder
from dcvae.atomic import replacing_folder, temporary_folder
from dcvae.card import model_card
from dcvae.checkpoint import CheckpointError
from dcvae.provenance import Training

PROGRESS_NAME = "progress.json"


@dataclass
class Progress:
    """How far a run has come; with the weights and optimizers, all that a resumed run needs."""

    step: int = 0
    epoch: int = 0
    batch: int = 0  # batches taken of this epoch
    seconds: float = 0.0  # spent in training steps, over all its sittings
    speech_seconds: float = 0.0  # seconds of speech in the batches, padding not counted
    speech_per_second: float = 0.0  # over the last interval: with the critics, where there are any
    best: float = float("inf")  # lowest validation reconstruction loss
    best_step: int = 0  # which step had it


class Checkpoints:
    """Writes and reads one run's checkpoint folders; each appears whole or not at all."""

    def __init__(self, run_dir: Path, accelerator: Accelerator, training: Training) -> None:
        """`training` is what the model cards tell of the run."""
        self.run_dir = run_dir
        self.accelerator = accelerator
        self.training = training

    def save_model(self, model: nn.Module, name: str, step: int) -> None:
        """Write RUN_DIR/<name>, which SpeechAutoencoder.from_pretrained reads, with its card."""
        if self.accelerator.is_main_process:
            inner = self.accelerator.unwrap_model(model)
            assert isinstance(inner, SpeechAutoencoder)
            card = model_card(inner, replace(self.training, step=step))
            inner.save_pretrained(self.run_dir / name, card)

    def save_state(self, progress: Progress) -> None:
        """Write RUN_DIR/state: weights, optimizers, every rank's random state, the counters."""
        folder = self.run_dir / "state"
        if not self.accelerator.is_main_process:
            self.accelerator.wait_for_everyone()  # until the folder is there
            self.accelerator.save_state(str(temporary_folder(folder)))
            self.accelerator.wait_for_everyone()
            return
        with replacing_folder(folder) as temporary:
            self.accelerator.wait_for_everyone()
            try:
                self.accelerator.save_state(str(temporary))
            except (SafetensorError, RuntimeError) as error:  # what a full disk becomes there
                raise OSError(str(error)) from error
            (temporary / PROGRESS_NAME).write_text(json.dumps(asdict(progress)) + "\n")
            self.accelerator.wait_for_everyone()  # until every rank has written

    def load_state(self) -> Progress | None:
        """Restore RUN_DIR/state into the prepared parts, or None where there is none."""
        folder = self.run_dir / "state"
        if not (folder / PROGRESS_NAME).is_file():
            return None
        try:
            self.accelerator.load_state(str(folder))
            return Progress(**json.loads((folder / PROGRESS_NAME).read_text()))
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(
                f"{folder} cannot be resumed ({error}); remove {self.run_dir} to start anew"
            ) from error
