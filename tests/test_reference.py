"""The reference study in the repository: its tables give its verdicts."""

import json
from pathlib import Path

import pandas as pd
import pytest

from analysis import archive
from dcvae.runs import STATISTICS_RECORD, STUDY_TABLES

KEPT = Path(__file__).parents[1] / "reports" / "reference"
STATISTICS = (*STUDY_TABLES, STATISTICS_RECORD)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that is kept, restored."""
    folder = tmp_path_factory.mktemp("reference") / "runs"
    archive.main(["restore", str(KEPT), "--runs", str(folder)])
    return folder


@pytest.mark.parametrize("name", STATISTICS)
def test_the_tables_give_the_statistics_that_are_kept_with_them(runs, name):
    """Numbers to what double precision leaves of a difference of means on another processor."""
    found, kept = runs / "studies" / "reference" / name, KEPT / name
    if name.endswith(".json"):
        said, was = (json.loads(path.read_text()) for path in (found, kept))
        for one in (said, was):
            del one["files"]  # digests of the others, to the last digit
        assert said == was, "run `make reference`"
    else:
        pd.testing.assert_frame_equal(
            pd.read_csv(found), pd.read_csv(kept), check_exact=False, rtol=1e-6, atol=1e-9
        )


def test_a_run_is_kept_as_the_bytes_that_are_there(runs, tmp_path):
    seeds = sorted((runs / "tiny" / "baseline").iterdir())
    archive.main(["keep", str(seeds[-1]), "--into", str(tmp_path)])
    for path in tmp_path.rglob("*.*"):
        assert path.read_bytes() == (KEPT / path.relative_to(tmp_path)).read_bytes(), path
