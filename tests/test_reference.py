"""The reference study in the repository: its tables give its verdicts, byte for byte."""

import json
from pathlib import Path

import pytest

from analysis import archive
from experiments.config import read_registry
from experiments.studies.plan import make_plan
from experiments.studies.registration import described

KEPT = Path(__file__).parents[1] / "reports" / "reference"
STATISTICS = ("statistics.csv", "claims.csv", "interactions.csv", "statistics.json")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that is kept, restored."""
    folder = tmp_path_factory.mktemp("reference") / "runs"
    archive.main(["restore", str(KEPT), "--runs", str(folder)])
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", STATISTICS)
def test_the_tables_give_the_statistics_that_are_kept_with_them(runs, name):
    found = (runs / "studies" / "reference" / name).read_bytes()
    assert found == (KEPT / name).read_bytes(), "run `make reference`"


@pytest.mark.slow
def test_a_run_is_kept_as_the_bytes_that_are_there(runs, tmp_path):
    seeds = sorted((runs / "tiny" / "baseline").iterdir())
    archive.main(["keep", str(seeds[-1]), "--into", str(tmp_path)])
    for path in tmp_path.rglob("*.*"):
        assert path.read_bytes() == (KEPT / path.relative_to(tmp_path)).read_bytes(), path


def test_the_plan_is_what_the_study_registers():
    """Claims that change after the scores are seen would be others than those that were asked."""
    said = described(make_plan(["study=reference"]), read_registry())
    assert json.loads((KEPT / "study.json").read_text()) == said
