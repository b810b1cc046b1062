"""Worker processes, of one thread where they use torch, which never outlive who asked."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, as_completed, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, connection, get_context, parent_process
from typing import Any, TypeVar

Result = TypeVar("Result")


@contextmanager
def worker_pool(
    count: int,
    preload: Sequence[str],
    prepare: Callable[..., None] | None = None,
    arguments: Iterable[tuple[Any, ...]] | None = None,
) -> Iterator[ProcessPoolExecutor]:
    """`count` processes, forked from one that has the modules `preload` and no threads.

    Each calls `prepare` first, with the next of `arguments`, which are as many, or with none. They
    end with this process, however it ends, and at once where the block fails. OSError where the
    system ended one.
    """
    processes = get_context("forkserver")
    processes.set_forkserver_preload(list(preload))
    queue, before = processes.SimpleQueue(), set(active_children())
    for one in [()] * count if arguments is None else arguments:
        queue.put(one)
    pool = ProcessPoolExecutor(count, processes, _begin, (prepare, queue))
    try:
        yield pool
    except BrokenProcessPool as error:
        raise OSError("a worker process was ended from outside: too little memory?") from error
    except BaseException:
        for child in set(active_children()) - before:
            child.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(prepare: Callable[..., None] | None, queue: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: the parent answers it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if torch := sys.modules.get("torch"):  # preloaded: not every pool's work needs it
        torch.set_num_threads(1)
    if prepare:
        prepare(*queue.get())


def _end_with_parent() -> None:
    """A pool's worker would wait for ever for work from a parent that was killed."""
    if parent := parent_process():
        connection.wait([parent.sentinel])
        os._exit(1)


def run_ahead(
    pool: ProcessPoolExecutor,
    function: Callable[..., Result],
    jobs: Iterable[tuple[Any, ...]],
    ahead: int,
) -> Iterator[Result]:
    """The function's results as they come, with at most `ahead` jobs taken and not yet done."""
    waiting: set[Future[Result]] = set()
    for job in jobs:
        waiting.add(pool.submit(function, *job))
        if len(waiting) >= ahead:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    yield from (future.result() for future in as_completed(waiting))
