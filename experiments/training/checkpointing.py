"""Checkpoints of a run: `last` and `best` to use the model, `states` to go on training."""

import json
import logging
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from accelerate import Accelerator
from safetensors import SafetensorError
from torch import nn

from dcvae import SpeechAutoencoder
from dcvae.data.provenance import Training
from dcvae.models.model_card import model_card
from dcvae.models.pretrained import CheckpointError
from dcvae.utils.errors import one_line
from dcvae.utils.files import files_sha256, read_json, replacing_folder, temporary_folder

logger = logging.getLogger(__name__)

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
        """Write RUN_DIR/states/stepN: weights, optimizers, every rank's random state, counters.

        It and the one before are kept: a state that a failing disk damaged has a predecessor.
        """
        folder = self.state_of(progress.step)
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
            self.accelerator.wait_for_everyone()  # until every rank has written
            written = {"progress": asdict(progress), "sha256": digests(temporary)}
            (temporary / PROGRESS_NAME).write_text(json.dumps(written, indent=2) + "\n")
        earlier = [other for other in self.states() if other < folder]
        for other in self.states():
            if other not in (folder, *earlier[-1:]):
                shutil.rmtree(other, ignore_errors=True)

    def load_state(self) -> Progress | None:
        """Restore the newest state that is whole into the prepared parts; None where none is."""
        states = self.states()
        for folder in reversed(states):
            try:
                progress = read_progress(folder)
            except (OSError, ValueError, KeyError, TypeError) as error:
                reason = one_line(error)
                logger.warning("%s is damaged (%s): an earlier state is looked for", folder, reason)
                continue
            self.restore(folder)
            return progress
        if states:
            raise CheckpointError(
                f"no state in {states[0].parent} is whole; remove {self.run_dir} to start anew"
            )
        return None

    def restore(self, folder: Path) -> None:
        """Weights, optimizers and random states; CheckpointError where they fit no part."""
        try:
            self.accelerator.load_state(str(folder))
        except OSError:
            raise
        except Exception as error:  # what foreign bytes raise there has no base class of its own
            raise CheckpointError(
                f"{folder} is of another architecture ({first_line(error)});"
                f" remove {self.run_dir} to start anew"
            ) from error

    def state_of(self, step: int) -> Path:
        return self.run_dir / "states" / f"step{step:09d}"

    def states(self) -> list[Path]:
        """The folders of all states, by step."""
        return sorted((self.run_dir / "states").glob("step*"))


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file in a folder, by name."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): files_sha256(path) for path in files}


def read_progress(folder: Path) -> Progress:
    """The counters of a state; ValueError, OSError, KeyError or TypeError for a damaged one."""
    written = read_json(folder / PROGRESS_NAME)
    found = digests(folder)  # of what lies there, wherever the names that were written lead
    for name, digest in dict(written["sha256"]).items():
        if found.get(name) != digest:
            raise ValueError(f"{name} is not as it was written")
    progress = Progress(**written["progress"])
    for name, value in asdict(progress).items():
        whole = isinstance(getattr(Progress, name), int)
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            raise ValueError(f"its {name} is {value!r}")
        if value < 0:
            raise ValueError(f"its {name} is {value}")
    return progress


def first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
