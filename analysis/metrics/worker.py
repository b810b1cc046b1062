"""What each process of the pool does first. It imports this file, so it stays free of torch."""

import scipy.linalg  # noqa: F401  # with numpy, the libraries whose threads are limited
from threadpoolctl import threadpool_limits


def one_thread() -> None:
    """Keep the process's linear algebra on one thread: the pool has a process for each core."""
    threadpool_limits(1)
