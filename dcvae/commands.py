"""What each command of the command line does."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dcvae.data.provenance import Training
from dcvae.data.sources import find_sources
from dcvae.inference.codec import Codec
from dcvae.inference.transcode.jobs import Job, Outcome
from dcvae.inference.transcode.operations import Operation, Reconstruct
from dcvae.inference.transcode.outputs import OutputLog, Task, Unrecorded, check_free, place
from dcvae.models.autoencoder import SpeechAutoencoder
from dcvae.models.model_card import model_card
from dcvae.utils.errors import INTERRUPTED
from dcvae.utils.files import files_sha256, replace_json
from dcvae.vocoders import load_vocoder

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class CodecOptions:
    """The codec that a command's options ask for."""

    model: Path
    device: str | None
    precision: str
    vocoder: str = "griffin_lim"
    vocoder_path: Path | None = None

    def load(self) -> Codec:
        """The codec on its device; ValueError or OSError where the options give none."""
        vocoder = load_vocoder(self.vocoder, **self.weights)
        device, dtype = find_device(self.device), PRECISIONS[self.precision]
        return Codec.from_pretrained(self.model, vocoder, device=device, dtype=dtype)

    @property
    def weights(self) -> dict[str, str]:
        """Of the vocoder, where they are given."""
        return {"path": str(self.vocoder_path)} if self.vocoder_path else {}


def transcode(
    operation_class: Callable[[Codec], Operation],
    *,
    sources: Sequence[Path],
    out: Path,
    overwrite: bool,
    **options: Any,
) -> None:
    """Encode, decode or reconstruct every file that the sources stand for.

    `options` are CodecOptions' fields. What fails is told file by file, and counted in the end:
    exit status 2.
    """
    asked = CodecOptions(**options)
    codec = asked.load()
    operation = operation_class(codec)
    settings = {
        "model": codec.model_id,
        "precision": asked.precision,
        "vocoder": asked.vocoder,
        **asked.weights,
    }
    tasks, output_log = plan(sources, out, operation, settings, overwrite)
    began = time.perf_counter()
    with interruptible():
        outcome = Job(operation, output_log, codec.device).run(tasks)
    if outcome.done or len(tasks) > 1:
        print(f"{out}: {operation.verb} {summary(outcome, time.perf_counter() - began)}")
    if outcome.failures:
        raise SystemExit(2)


@contextmanager
def interruptible() -> Iterator[None]:
    """What Ctrl-C does to a command that goes on from where it was."""
    try:
        yield
    except KeyboardInterrupt:
        print("dcvae: interrupted; the same command goes on from here", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None


def plan(
    sources: Sequence[Path],
    out: Path,
    operation: Operation,
    settings: dict[str, str],
    overwrite: bool,
) -> tuple[list[Task], OutputLog | Unrecorded]:
    """Each file with its target: OUT.wav for one, else its own name below the folder OUT."""
    found = find_sources(sources, operation.kind)
    if isinstance(operation, Reconstruct) and out.suffix and not out.is_dir():
        if out.suffix.lower() != ".wav" or len(found) > 1:
            raise ValueError(f"{out} must end in .wav for one file, and be a folder for more")
        return [(found[0][0], out)], Unrecorded(overwrite)
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file, and a folder is to be written to")
    settings = {"operation": operation.verb, **settings}
    return place(found, out, operation.suffix), OutputLog(out, settings, overwrite)


def summary(outcome: Outcome, seconds: float) -> str:
    """What was done, how fast, and what was not."""
    parts = [f"{outcome.done} file{'' if outcome.done == 1 else 's'}"]
    if outcome.done:
        parts[0] += (
            f", {outcome.seconds:.1f} s of speech in {seconds:.1f} s"
            f" ({seconds / outcome.seconds:.3f} x real time)"
        )
    if outcome.skipped:
        parts.append(f"{outcome.skipped} done before")
    if outcome.failures:
        parts.append(f"{len(outcome.failures)} failed")
    return "; ".join(parts)


def find_device(name: str | None) -> torch.device:
    """The device of that name, or a GPU where there is one; ValueError for one that is not."""
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split("\n")[0]
        raise ValueError(f"there is no device {name} here ({reason})") from None


def import_model(*, weights: Path, out: Path, config: Path | None, overwrite: bool) -> None:
    """A published .pt to a checkpoint folder."""
    from dcvae.models.published_format import import_published

    if out.exists() and not overwrite:
        raise ValueError(f"{out} exists: --overwrite writes over it")
    model = import_published(weights, config)
    origin = Training(origin=f"imported from {weights.name}, {files_sha256(weights)[:16]}")
    model.save_pretrained(out, model_card(model, origin))
    millions = model.parameters_count / 1e6
    print(f"{out}: {millions:.1f}M parameters, {model.floats_per_second:.0f} floats a second")


def export_model(*, folder: Path, out: Path, config: Path | None, overwrite: bool) -> None:
    """A checkpoint folder to a published .pt, and AutoencoderDC's JSON where it is asked for."""
    from dcvae.models.published_format import export_published, published_config

    for target in filter(None, (out, config)):
        check_free(target, overwrite)
    model = SpeechAutoencoder.from_pretrained(folder)
    export_published(model, out)
    if config:
        replace_json(config, published_config(model))
    print(f"{out}: {model.parameters_count / 1e6:.1f}M parameters in the published format")
