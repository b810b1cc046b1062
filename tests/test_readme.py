"""The README's commands and snippets, run as they stand but for the size and the corpus."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from dcvae import LatentShards

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"(<!-- not run: [^\n]*-->\n)?```(bash|python|yaml)\n(.*?)```", re.DOTALL)
BLOCKS = [(kind, text) for skipped, kind, text in BLOCK.findall(README) if not skipped]
MODULES = {  # snippets that begin with a file's name, by it
    found[1]: text for kind, text in BLOCKS if (found := re.match(r"# (\w+\.py)\n", text))
}
COMMANDS = [line for kind, text in BLOCKS if kind == "bash" for line in text.splitlines()]
FORKED = """
python() {{ {client} "$@"; }}
dcvae() {{ python .venv/bin/dcvae "$@"; }}
accelerate() {{ shift; python "$@"; }}
"""  # in place of what .venv/bin has
SMALL = "size=debug trainer.steps=2"  # in place of the default corpus and size


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A copy of the checkout's files, with this environment as its .venv."""
    folder = tmp_path_factory.mktemp("checkout") / "dcvae"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(sys.prefix)
    for name, text in MODULES.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def shell(place, new_commands, tmp_path_factory) -> Iterator[Callable[[str], None]]:
    """Runs lines in the copy; what they call are forks of a process that has its modules.

    That `accelerate launch` itself starts a run is test_smoke's.
    """
    environment = {"PYTHONPATH": str(place), "MLFLOW_TRACKING_URI": ""}
    commands = new_commands(tmp_path_factory.mktemp("commands"), **environment)

    def run(script: str) -> None:
        done = subprocess.run(
            ["bash", "-euc", FORKED.format(client=shlex.join(commands.client)) + script],
            cwd=place,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"

    yield run
    commands.stop()


def smaller(command: str) -> str:
    """The same command at debug size, on the clips in tests/data."""
    command = command.replace("make report", "python -m reports.build")
    command = command.replace("runs/demo", "runs/debug").replace("size=demo ", "")
    command = command.replace("data/debian_speech/manifest-*.csv", "tests/data/manifest.csv")
    if "experiments/run.py" in command:
        data = "" if "data=" in command else " data=filelist data.train=tests/data/manifest.csv"
        command += f" {SMALL}{data}"
    if "-m analysis " in command:
        command += " --clips 2 --robustness-clips 1"
        command += "" if "--only" in command else " --only quality,intelligibility"  # not minutes
    return command


@pytest.fixture(scope="module")
def used(place, shell) -> Path:
    """Every command of the README, in order, after the baseline that make demo trains."""
    baseline = smaller("accelerate launch experiments/run.py")
    shell("\n".join([baseline, *map(smaller, COMMANDS)]))
    return place


def test_commands_run(used):
    for name in ("baseline", "no_dispersive"):
        assert (used / "runs" / "debug" / name / "seed0" / "last").is_dir()
    assert (used / "runs" / "trial" / "debug" / "baseline" / "seed1").is_dir()
    assert (used / "runs" / "mine" / "debug" / "baseline" / "seed0").is_dir()
    assert (used / "reports" / "out" / "index.html").is_file()
    assert (used / "out.wav").is_file()
    assert len(list((used / "latents").glob("*.safetensors"))) == 10
    assert len(LatentShards(used / "shards")) == 10
    assert len(list((used / "decoded").glob("*.wav"))) == 10
    assert (used / "runs/peers/EveryOther/seed0/analysis/table.csv").is_file()


def test_python_snippets_run(used, shell):
    for kind, text in BLOCKS:
        if kind == "python":
            snippet = text.replace("runs/demo", "runs/debug")
            shell(f"command .venv/bin/python - <<'END'\n{snippet}END")


def test_the_example_ablation_trains(used, shell):
    (example,) = [text for kind, text in BLOCKS if kind == "yaml"]
    assert set(yaml.safe_load(example)) == {"claims", "model"}
    (used / "experiments" / "conf" / "ablation" / "half_noise.yaml").write_text(example)
    shell(smaller("accelerate launch experiments/run.py ablation=half_noise"))


def test_every_ablation_is_listed():
    for path in (ROOT / "experiments" / "conf" / "ablation").glob("*.yaml"):
        assert path.stem == "baseline" or f"`{path.stem}`" in README


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / target).exists(), target


def test_make_lists_its_targets():
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("demo", "test", "report", "lint", "mlflow", "clean"):
        assert re.search(rf"^{target}\s", listed, re.MULTILINE)
