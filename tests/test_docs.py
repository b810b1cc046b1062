"""The commands and snippets of README and docs, run as they stand but for size and corpus."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from analysis.metrics.score import score
from analysis.outputs.table import read_table
from analysis.registry import EVALUATORS
from analysis.systems.specs import LOADERS
from dcvae import LatentShards
from dcvae.data.test_sets import TEST_SETS

ROOT = Path(__file__).parents[1]
CONF = ROOT / "experiments" / "conf"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]  # in their order
TEXT = {page: page.read_text() for page in PAGES}
EVERY = "\n".join(TEXT.values())
BLOCK = re.compile(r"(<!-- not run: [^\n]*-->\n)?```(bash|python|yaml|diff)\n(.*?)```", re.DOTALL)
BLOCKS = [(kind, text) for skipped, kind, text in BLOCK.findall(EVERY) if not skipped]
LINES = [line for kind, text in BLOCKS if kind == "bash" for line in text.splitlines()]
COMMANDS = list(dict.fromkeys(LINES))  # a page may say again what another one does
MODULES = {  # snippets that begin with a file's name, by it
    found[1]: text
    for kind, text in BLOCKS
    if kind == "python" and (found := re.match(r"# ([\w/]+\.py)\n", text))
}
SNIPPETS = [text for kind, text in BLOCKS if kind == "python" and text not in MODULES.values()]
DIFFS = [text for kind, text in BLOCKS if kind == "diff"]
CODE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
PROSE = {page: CODE.sub("", text) for page, text in TEXT.items()}
README_LINES, LINE_LENGTH = 150, 100  # at most
STEPS = {  # of each size
    path.stem: yaml.safe_load(path.read_text())["trainer"]["steps"]
    for path in (CONF / "size").glob("*.yaml")
}
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
    for text in DIFFS:
        apply(text, folder)
    return folder


def apply(diff: str, folder: Path) -> None:
    """Changes files as "--- NAME" and the lines below it say; what they stand in is unique."""
    for part in diff.split("--- ")[1:]:
        name, *lines = part.splitlines()
        hunks: list[list[str]] = [[]]
        for line in lines:
            hunks.append([]) if line == "@@" else hunks[-1].append(line)
        text = (folder / name).read_text()
        for hunk in hunks:
            before, after = (
                "".join(f"{line[1:]}\n" for line in hunk if line[0] != sign) for sign in "+-"
            )
            assert text.count(before) == 1, f"{name} has not once:\n{before}"
            text = text.replace(before, after)
        (folder / name).write_text(text)


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
    """Every command of the pages, in order, after the baseline that make demo trains."""
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
    for number, text in enumerate(SNIPPETS):
        (used / f"snippet{number}.py").write_text(text.replace("runs/demo", "runs/debug"))
    shell("\n".join(f"python snippet{number}.py" for number in range(len(SNIPPETS))))


def test_the_example_ablation_trains(used, shell):
    (example,) = [text for kind, text in BLOCKS if kind == "yaml" and "@package" in text]
    assert set(yaml.safe_load(example)) == {"claims", "model"}
    (used / "experiments" / "conf" / "ablation" / "half_noise.yaml").write_text(example)
    shell(smaller("accelerate launch experiments/run.py ablation=half_noise"))


def test_the_example_measure_measures(used):
    """Half the wave is 20 log10(2) dB below it, silence nowhere; the run has a row a clip."""
    example: dict[str, Any] = {}
    exec(compile(MODULES["analysis/evaluators/level.py"], "level.py", "exec"), example)
    wave = np.sin(np.arange(100, dtype=np.float32))
    assert example["level_change"](wave, wave / 2) == pytest.approx(-6.0206, abs=1e-4)
    assert score(example["level_change"], wave, 0 * wave).reason == "the output is silent"
    table = read_table(used / "runs" / "debug" / "baseline" / "seed0" / "analysis" / "table.csv")
    rows = table[table["metric"] == "level_change"]
    assert len(rows) == 2
    assert set(rows["condition"]) == {"reconstruction"}
    assert np.isfinite(rows["value"]).all()


def test_every_ablation_is_listed():
    names = {path.stem for path in (CONF / "ablation").glob("*.yaml")}
    for name in names - {"baseline"}:
        assert f"`{name}`" in TEXT[ROOT / "docs" / "studies.md"]
    assert f"The registry has {len(names) - 1} ablations" in TEXT[ROOT / "README.md"]


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("measures.md", [f"`{name}`" for name in EVALUATORS]),
        ("codecs.md", [f"`{name}" for name in LOADERS]),
        ("data.md", [f"| `{name}` | {one.clips:,} |" for name, one in TEST_SETS.items()]),
        ("studies.md", [f"`{path.stem}`" for path in (CONF / "study").glob("*.yaml")]),
        ("studies.md", [f"| `{name}` | {steps:,} |" for name, steps in STEPS.items()]),
    ],
)
def test_what_there_is_to_choose_from_is_listed(page, names):
    assert names
    for name in names:
        assert name in TEXT[ROOT / "docs" / page]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    """To a file from the page's own folder, and to a heading in it where they name one."""
    for target in re.findall(r"\]\(([^)]+)\)", PROSE[page]):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), target


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)$", CODE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}


def test_every_page_is_linked_from_the_readme():
    for page in PAGES[1:]:
        assert f"](docs/{page.name})" in TEXT[ROOT / "README.md"]


def test_the_readme_is_short_and_lines_are():
    """Lines of tables and of code aside."""
    assert len(TEXT[ROOT / "README.md"].splitlines()) <= README_LINES
    for page, text in PROSE.items():
        for line in text.splitlines():
            assert len(line) <= LINE_LENGTH or line.startswith("|"), f"{page.name}: {line}"


def test_make_lists_its_targets():
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("demo", "test", "report", "lint", "mlflow", "clean"):
        assert re.search(rf"^{target}\s", listed, re.MULTILINE)
