"""Where a run's numbers go: files in its folder, which are the truth, and from there to MLflow.

`python -m experiments.tracking sync RUN_DIR...` sends what MLflow lacks of runs that ended.
"""

import logging
import time
from pathlib import Path

from dcvae.runs import METRICS, SYSTEM_METRICS, read_record
from dcvae.utils.jsonl import append_row, rewind
from experiments.record import epoch
from experiments.tracking.address import Store
from experiments.tracking.background_sync import BackgroundSync
from experiments.tracking.mlflow_client import read_patience
from experiments.tracking.mlflow_sync import MlflowSync
from experiments.tracking.system_metrics import SystemMetricsMonitor

logger = logging.getLogger(__name__)

PATIENCE_CUT_SHORT = 5.0  # the longest where a run was stopped: whoever stops it may not wait


class Tracker:
    """Writes metrics to RUN_DIR/metrics.jsonl; MLflow follows, and is waited for at the end alone.

    A tracker without a folder (every rank but the first) drops what it is given.
    """

    def __init__(self, run_dir: Path | None = None) -> None:
        self.run_dir = run_dir
        self.origin: float | None = None
        self.sync: BackgroundSync | None = None
        self.system_metrics: SystemMetricsMonitor | None = None

    @property
    def active(self) -> bool:
        """Whether this rank is the one that tracks."""
        return self.run_dir is not None

    def start_sync(self) -> None:
        """Note the machine's load, and let MLflow follow the folder, whose run.json is written.

        The store is MLFLOW_TRACKING_URI, else the embedded one in the current folder.
        """
        if self.run_dir is None:
            return
        self.sync = BackgroundSync(MlflowSync(self.run_dir, Store.chosen().uri))
        path, nudge = self.run_dir / SYSTEM_METRICS, self.sync.nudge
        self.system_metrics = SystemMetricsMonitor(path, self.find_origin(), nudge)

    def find_origin(self) -> float:
        """When the run began, in seconds of the epoch: all its sittings count from there."""
        if self.origin is None:
            record = read_record(self.run_dir) if self.run_dir else None
            started = record.get("started") if record else None
            self.origin = epoch(started) if started else time.time()
        return self.origin

    def rewind(self, step: int) -> None:
        """Drop what was written after `step`: a resumed run will write it again."""
        if self.run_dir is not None:
            rewind(self.run_dir / METRICS, step)

    def log_metrics(self, step: int, metrics: dict[str, float]) -> None:
        """A row, with the seconds since the run began."""
        if self.run_dir is None:
            return
        seconds = time.time() - self.find_origin()
        append_row(self.run_dir / METRICS, step, seconds, metrics)
        if self.sync is not None:
            self.sync.nudge()

    def finish(self, status: str) -> None:
        """FINISHED, FAILED or KILLED, once all that the folder is to hold is in it."""
        if self.system_metrics is not None:
            self.system_metrics.stop()
        if self.sync is None:
            return
        patience = read_patience()
        if status != "FINISHED":
            patience = min(patience, PATIENCE_CUT_SHORT)
        if not self.sync.finish(status, patience):
            logger.warning(
                "MLflow has not got all of %s; this sends the rest:"
                " python -m experiments.tracking sync %s",
                self.run_dir,
                self.run_dir,
            )
