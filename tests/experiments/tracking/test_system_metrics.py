import json
import time

import psutil
import pytest

from dcvae.utils.jsonl import append_row
from experiments.tracking.system_metrics import SystemMetricsMonitor


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.05")


def test_samples_go_on_in_the_file_with_one_a_second(tmp_path):
    path, nudges = tmp_path / "machine.jsonl", []
    append_row(path, 7, 7.5, {"system/x": 1.0})
    with path.open("a") as file:
        file.write('{"step": 9, "sys')  # killed while it wrote
    monitor = SystemMetricsMonitor(path, time.time() - 100, lambda: nudges.append(1))
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and len(nudges) < 2:
        time.sleep(0.05)
    monitor.stop()
    assert not monitor.thread.is_alive()
    first, *rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert first["step"] == 7
    steps = [row["step"] for row in rows]
    assert len(steps) == len(set(steps)) == len(nudges)
    assert steps == sorted(steps)
    assert steps[0] >= 100
    share = rows[0]["system/system_memory_usage_percentage"] / 100
    used = rows[0]["system/system_memory_usage_megabytes"] * 1e6
    assert used / share == pytest.approx(psutil.virtual_memory().total, rel=0.05)


def test_a_disk_that_fails_ends_the_watch_alone(tmp_path):
    (tmp_path / "machine.jsonl").mkdir()
    monitor = SystemMetricsMonitor(tmp_path / "machine.jsonl", time.time(), lambda: None)
    monitor.thread.join(20)
    assert not monitor.thread.is_alive()
