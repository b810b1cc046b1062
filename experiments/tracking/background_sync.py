"""A thread that keeps MLflow up to date with a run, so that training never waits for it."""

import logging
import threading
import time

from experiments.tracking.address import public_address
from experiments.tracking.mlflow_client import first_line, quieten
from experiments.tracking.mlflow_sync import MlflowSync

logger = logging.getLogger(__name__)

EVERY = 2.0  # seconds for which rows gather
FIRST_PAUSE = 1.0  # seconds after a failure; then twice as long each time
LONGEST_PAUSE = 60.0
LAST_PAUSE = 2.0  # the longest where the run has ended and waits
SLOW = 60.0  # seconds that it may be busy before it says so


class BackgroundSync:
    """Runs from now on until `finish`; between, `nudge` it when the folder has something new.

    One warning tells of an outage and one line of its end, however long it was.
    """

    def __init__(self, sync: MlflowSync) -> None:
        self.sync = sync
        self.status = "RUNNING"
        self.news, self.ending, self.done = threading.Event(), threading.Event(), threading.Event()
        self.news.set()  # the run itself
        self.thread = threading.Thread(target=self.keep_up, name="BackgroundSync", daemon=True)
        self.thread.start()

    def nudge(self) -> None:
        self.news.set()

    def finish(self, status: str, patience: float) -> bool:
        """Send the rest with the run's last status; whether that was done in so many seconds."""
        self.status = status
        self.ending.set()
        self.news.set()
        return self.done.wait(patience)

    def keep_up(self) -> None:
        quieten()
        pause, said_slow = 0.0, False
        while not self.done.is_set():
            self.news.wait()
            self.news.clear()
            ending, began = self.ending.is_set(), time.monotonic()
            try:
                self.sync.bring_up_to_date(self.status)
            except Exception as error:  # whatever a store, a server or a disk can raise
                if not pause:
                    reason = first_line(error, self.sync.uri)
                    logger.warning("MLflow fails, training goes on: %s", reason)
                pause = min(2 * pause, LONGEST_PAUSE) if pause else FIRST_PAUSE
                self.news.set()
                self.rest(pause, ending)
                continue
            if pause:
                logger.info("MLflow answers again, and has all of %s", self.sync.run_dir)
            elif not said_slow and time.monotonic() - began > SLOW:
                said_slow = True
                logger.warning(
                    "MLflow is slow, training goes on: %s", public_address(self.sync.uri)
                )
            pause = 0.0
            if ending:
                self.done.set()
            else:
                self.rest(EVERY, ending)

    def rest(self, seconds: float, ending: bool) -> None:
        """Wait, but not when the run ends meanwhile; and not long once it has."""
        if ending:
            time.sleep(min(seconds, LAST_PAUSE))
        else:
            self.ending.wait(seconds)
