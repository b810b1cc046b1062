"""What the processes of a run have in common, and what they agree on."""

from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import synchronize_rng_states
from torch import Tensor, distributed


class GatherRows(torch.autograd.Function):
    """The rows of all processes in the order of their ranks, with gradient to one's own.

    Every process then computes the same function of all rows, so its gradient stands for that of
    each other one, and nothing needs to be exchanged on the way back: the sum over the processes
    is its own times their number, from which DDP's mean over them makes the whole batch's gradient.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        everyone = [torch.empty_like(rows) for _ in range(distributed.get_world_size())]
        distributed.all_gather(everyone, rows)
        return torch.cat(everyone)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        processes = distributed.get_world_size()
        return processes * gradients[0].chunk(processes)[distributed.get_rank()]


def gather_rows(rows: Tensor) -> Tensor:
    """Rows [B / processes, ...] of each process -> [B, ...] on all; a single process keeps its own.

    Only for what every process goes on to compute alike: see GatherRows. All have equally many.
    """
    if not distributed.is_initialized() or distributed.get_world_size() == 1:
        return rows
    return GatherRows.apply(rows.contiguous())


def sync_rng() -> None:
    """Give all processes the random state of the first, as they need to share the noise.

    A run may go on with more processes than it had, and the new ones have no state of their own.
    """
    kinds = ["torch", "cuda"] if torch.cuda.is_available() else ["torch"]
    synchronize_rng_states(kinds)


def any_rank(flag: bool, accelerator: Accelerator) -> bool:
    """Whether the flag is up in some process: all get the same answer, and wait for it."""
    if accelerator.num_processes == 1:
        return flag
    flags = torch.tensor(int(flag), device=accelerator.device)
    return bool(accelerator.reduce(flags, "sum"))
