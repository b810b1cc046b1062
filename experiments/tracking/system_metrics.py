"""The machine's load beside a run's metrics: MLflow's own gauges, read from a thread."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dcvae.utils.jsonl import append_row, rewind
from experiments.tracking.mlflow_client import importing

INTERVAL = "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL"  # seconds, MLflow's own variable
EVERY = 10.0  # seconds, MLflow's own value
PATIENCE = 1.0  # seconds that `stop` waits for a sample on its way


class SystemMetricsMonitor:
    """Adds "system/..." metrics to a file of rows until it is stopped, and tells `nudge` of each.

    The step is the whole seconds since `origin` (seconds of the epoch), so that a run which goes
    on adds to what is there; there is one sample a step. A failure, such as a full disk, ends the
    samples and nothing else. (MLflow's SystemMetricsMonitor asks for the run at each sample, warns
    in lines of its own, and waits for a lost server at the end.)
    """

    def __init__(self, path: Path, origin: float, nudge: Callable[[], None]) -> None:
        self.path, self.origin, self.nudge = path, origin, nudge
        self.every = float(os.environ.get(INTERVAL) or EVERY)
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.watch, name="SystemMetricsMonitor", daemon=True)
        self.thread.start()

    def watch(self) -> None:
        """Sample after each interval, over which the CPU's load is a mean, until stopped."""
        try:
            step = int(time.time() - self.origin)
            rewind(self.path, step)  # what was killed while it wrote
            gauges = find_gauges()
            sample(gauges)  # begins the first interval
            while not self.stopped.wait(self.every):
                seconds = time.time() - self.origin
                if int(seconds) > step:
                    step = int(seconds)
                    append_row(self.path, step, seconds, sample(gauges))
                    self.nudge()
        except Exception:  # whatever a gauge or a disk can raise
            self.stopped.set()

    def stop(self) -> None:
        """End the thread; one that is slow is left to end by itself."""
        self.stopped.set()
        self.thread.join(PATIENCE)


def sample(gauges: list[Any]) -> dict[str, float]:
    """What all gauges read now: "system/cpu_utilization_percentage" and others."""
    read: dict[str, float] = {}
    for gauge in gauges:
        gauge.collect_metrics()
        read |= {f"system/{name}": value for name, value in gauge.aggregate_metrics().items()}
        gauge.clear_metrics()
    return read


def find_gauges() -> list[Any]:
    """CPU, memory, disk and network; the GPUs where there are some and pynvml is installed."""
    with importing:
        from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
        from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
        from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
        from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

    gauges: list[Any] = [CPUMonitor(), DiskMonitor(), NetworkMonitor()]
    try:
        gauges.append(GPUMonitor())
    except Exception:  # of several kinds: no pynvml, no driver, no device
        return gauges
    return gauges
