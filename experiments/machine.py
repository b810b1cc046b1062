"""The machine's load beside a run's metrics: MLflow's own gauges, read from a thread."""

import os
import threading
import time
from collections.abc import Callable
from typing import Any

INTERVAL = "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL"  # seconds, MLflow's own variable
EVERY = 10.0  # seconds, MLflow's own value
PATIENCE = 5.0  # seconds that `stop` waits for a sample on its way


class MachineMonitor:
    """Hands "system/..." metrics to `log(step, metrics)` until it is stopped or `log` fails.

    The step is the whole seconds since `origin` (seconds of the epoch), so that a run which goes
    on adds to what is there. A failure ends the samples and nothing else: whoever logs the run's
    own metrics meets the same store and says so. (MLflow's SystemMetricsMonitor asks for the run
    at each sample, warns in lines of its own, and waits for a lost server at the end.)
    """

    def __init__(self, log: Callable[[int, dict[str, float]], None], origin: float) -> None:
        self.log = log
        self.origin = origin
        self.every = float(os.environ.get(INTERVAL) or EVERY)
        self.gauges = find_gauges()
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.watch, name="MachineMonitor", daemon=True)
        self.thread.start()

    def watch(self) -> None:
        """Sample after each interval, over which the CPU's load is a mean, until stopped."""
        try:
            self.sample()  # begins the first interval
            while not self.stopped.wait(self.every):
                self.log(int(time.time() - self.origin), self.sample())
        except Exception:  # whatever a gauge, a store or a server can raise
            self.stopped.set()

    def sample(self) -> dict[str, float]:
        """What all gauges read now: "system/cpu_utilization_percentage" and others."""
        read: dict[str, float] = {}
        for gauge in self.gauges:
            gauge.collect_metrics()
            read |= {f"system/{name}": value for name, value in gauge.aggregate_metrics().items()}
            gauge.clear_metrics()
        return read

    def stop(self) -> None:
        """End the thread; one that hangs at a lost server is left to end by itself."""
        self.stopped.set()
        self.thread.join(PATIENCE)


def find_gauges() -> list[Any]:
    """CPU, memory, disk and network; the GPUs where there are some and pynvml is installed."""
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
