import time

from experiments.machine import MachineMonitor


def test_a_store_that_goes_away_ends_the_watch_alone(monkeypatch):
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.01")
    steps = []

    def refuse(step, metrics):
        steps.append(step)
        raise ConnectionError("refused")

    monitor = MachineMonitor(refuse, time.time() - 100)
    monitor.thread.join(20)
    assert not monitor.thread.is_alive()
    assert len(steps) == 1
    assert steps[0] >= 100
