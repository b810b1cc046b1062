"""Many files through one operation: batched by length, and no failure ends the rest."""

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from dcvae.inference.transcode.operations import Item, Operation
from dcvae.inference.transcode.outputs import OutputLog, Unrecorded
from dcvae.utils.errors import one_line

BATCH = 60.0  # seconds of speech coded together on a CPU, which gains nothing from more
BATCH_GPU = 480.0
HELD = 8  # batches' worth of files that wait for others of their length


@dataclass
class Outcome:
    """How many files were written or there already, seconds of speech, and the failures."""

    done: int = 0
    skipped: int = 0
    seconds: float = 0.0
    failures: list[tuple[Path, str]] = field(default_factory=list)  # a file, and why


class Job:
    """Takes (source, target) pairs through an operation.

    Files of the same length in latent frames are coded as one batch, so that what is beside a
    file changes nothing of it; a long one goes through alone, block by block.
    """

    def __init__(
        self, operation: Operation, output_log: OutputLog | Unrecorded, device: torch.device
    ) -> None:
        self.operation, self.output_log = operation, output_log
        self.batch_seconds = BATCH_GPU if device.type == "cuda" else BATCH
        self.waiting: dict[int, list[tuple[Item, Tensor]]] = defaultdict(list)
        self.outcome = Outcome()

    def run(self, tasks: Sequence[tuple[Path, Path]]) -> Outcome:
        """Every task once, in about their order, with a progress bar where someone watches."""
        self.bar = tqdm(total=len(tasks), unit="file", disable=None)
        with self.bar:
            for source, target in tasks:
                self.take(source, target)
                if sum(map(self.duration, self.waiting.values())) > HELD * self.batch_seconds:
                    self.flush(max(self.waiting, key=lambda n: self.duration(self.waiting[n])))
            for length in list(self.waiting):
                self.flush(length)
        return self.outcome

    def take(self, source: Path, target: Path) -> None:
        """Read a file; code a long one at once, and a short one when its batch is full."""
        if self.output_log.is_finished(source, target):
            self.outcome.skipped += 1
            self.bar.update()
            return
        try:
            self.output_log.check(target)
            item = self.operation.read(source, target)
            if not item.short:
                self.write(item, self.operation.code(self.watched(item)))
                return
            signal = torch.cat(list(item.signal), -1)
        except (ValueError, OSError) as error:
            self.fail(source, error)
            return
        group = self.waiting[signal.shape[-1]]
        group.append((item, signal))
        if self.duration(group) >= self.batch_seconds:
            self.flush(signal.shape[-1])

    def flush(self, length: int) -> None:
        """Code the waiting files of one length, and write each."""
        group = self.waiting.pop(length)
        blocks = self.operation.code([torch.cat([signal for _, signal in group])])
        whole = torch.cat(list(blocks), -1)
        for (item, _), output in zip(group, whole.split(1), strict=True):
            try:
                self.write(item, [output])
            except (ValueError, OSError) as error:
                self.fail(item.source, error)

    def write(self, item: Item, blocks: Iterable[Tensor]) -> None:
        self.operation.write(item, blocks)
        self.output_log.add(item.target)
        self.outcome.done += 1
        self.outcome.seconds += item.samples() / item.sample_rate
        self.bar.update()

    def watched(self, item: Item) -> Iterator[Tensor]:
        """A long file's signal; how much of it was taken is shown beside the bar."""
        for block in item.signal:
            yield block
            minutes = item.samples() / item.sample_rate / 60
            self.bar.set_postfix_str(f"{item.source.name}: {minutes:.0f} minutes")

    def fail(self, source: Path, error: Exception) -> None:
        """Leave word of one file, in one line, and go on."""
        reason = one_line(error)
        if str(source) not in reason:
            reason = f"{source}: {reason}"
        self.outcome.failures.append((source, reason))
        self.bar.write(f"dcvae: {reason}", file=sys.stderr)
        self.bar.update()

    @staticmethod
    def duration(group: Sequence[tuple[Item, Tensor]]) -> float:
        """Seconds of speech in a group."""
        return sum(item.samples() / item.sample_rate for item, _ in group)
