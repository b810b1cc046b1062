"""How many CPU threads torch computes with."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

Result = TypeVar("Result")


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Compute on so many CPU threads within.

    Where arrays are small and steps many, and something else runs on the same cores, threads
    that wait for each other after every step took 40 times as long as one.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def on_one_thread(function: Callable[..., Result], *arguments: object) -> Result:
    """Call a function that computes on one thread: one unit of work for a pool of processes."""
    with torch_threads(1):
        return function(*arguments)
