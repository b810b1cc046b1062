"""What the processes of a run have in common, and what each has to itself."""

from typing import Any

import torch
from accelerate.utils import set_seed
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


def draw_apart(seed: int) -> None:
    """Give each of several processes random numbers of its own; a single one goes on with its.

    After the parts are built: until then all draw alike.
    """
    if distributed.is_initialized() and distributed.get_world_size() > 1:
        set_seed(seed, device_specific=True)
