"""Several batches a step."""

from accelerate.state import GradientState
from accelerate.utils import GradientAccumulationPlugin


def accumulate_batches(count: int) -> None:
    """Let every `count` batches make a step, across the ends of epochs.

    By the state that all of accelerate shares, as Accelerator's own argument does. ValueError
    for less than one.
    """
    if count < 1:
        raise ValueError(f"trainer.accumulate is the batches a step, 1 or more, not {count}")
    GradientState(GradientAccumulationPlugin(num_steps=count, sync_with_dataloader=False))
