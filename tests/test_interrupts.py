"""Ctrl-C while a command still imports, which takes seconds: it ends at once, without a word.

It ends by the signal, which a shell shows as 130. What Python does before the first line of a
command (some 30 ms) is not ours, and Ctrl-C then is Python's traceback.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOUSES = ("dcvae", "experiments", "analysis", "reports")
SLOW = ("hydra", "mlflow", "numpy", "pandas", "scipy", "torch", "yaml")
# a library that takes long to import, and says when that has begun
STAND_IN = "from pathlib import Path\nimport time\nPath({!r}).touch()\ntime.sleep(60)\n"
BEGINS = '\nif __name__ == "__main__":'
COMMANDS = [
    path.relative_to(ROOT)
    for house in HOUSES
    for path in sorted((ROOT / house).rglob("*.py"))
    if BEGINS in path.read_text()
]


@pytest.mark.parametrize("path", COMMANDS, ids=str)
def test_an_interrupt_in_an_import_ends_a_command_without_a_word(path, tmp_path):
    begun = tmp_path / "begun"
    for name in SLOW:
        (tmp_path / f"{name}.py").write_text(STAND_IN.format(str(begun)))
    module = ".".join(path.with_suffix("").parts).removesuffix(".__main__")
    command = [str(path)] if path.name == "run.py" else ["-m", module]
    running = subprocess.Popen(
        [sys.executable, *command, *["train"] * (module == "experiments.benchmark")],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}"},
        stderr=subprocess.PIPE,
        text=True,
        # what a shell starts in the background would ignore it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    deadline = time.monotonic() + 60
    while not begun.exists() and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate()
    assert errors == ""
    assert running.returncode == -signal.SIGINT
