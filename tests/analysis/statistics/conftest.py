"""Run folders with tables of known numbers, as training and analysis leave them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.outputs.table import Row, make_table, write_table

CLIPS = [f"clip{number}" for number in range(24)]
NOISE = dict(zip(CLIPS, np.random.default_rng(0).normal(0, 0.1, len(CLIPS)), strict=True))


def stoi(level: float, clips: Sequence[str] = CLIPS, wobble: float = 0.01, draw: int = 0):
    """Every clip at its own difficulty, which all systems share, and a little of the system's."""
    drawn = np.random.default_rng([int(1000 * level), draw]).normal(0, wobble, len(clips))
    values = [level + NOISE[clip] + extra for clip, extra in zip(clips, drawn, strict=True)]
    return [Row(c, "reconstruction", "stoi", v) for c, v in zip(clips, values, strict=True)]


def claim(metric: str = "reconstruction/stoi", direction: str = "up", **more: Any) -> dict:
    stated = {"text": "So it is.", "metric": metric, "direction": direction}
    return {**stated, "margin": 0.01, "component": "noise", **more}


def write_run(
    root: Path,
    ablation: str,
    rows: Sequence[Row] | None,
    seed: int = 0,
    claims: Sequence[dict] = (),
    analysis: dict[str, Any] | None = None,
    **more: Any,
) -> Path:
    """A run in `root`/tiny with a table of these rows; without a table where they are None."""
    budget = more.get("budget")
    place = f"tiny-{budget}steps" if budget else "tiny"
    folder = root / place / ablation / f"seed{seed}"
    folder.mkdir(parents=True)
    described = {"ablation": ablation, "size": "tiny", "seed": seed, "status": "finished"}
    (folder / "run.json").write_text(json.dumps({**described, "claims": list(claims), **more}))
    if rows is not None:
        table = make_table(f"tiny/{ablation}/seed{seed}", ablation, seed, rows)
        write_table(folder / "analysis" / "table.csv", table)
        if analysis is not None:
            (folder / "analysis" / "analysis.json").write_text(json.dumps(analysis))
    return folder


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, keep_default_na=False, na_values=["nan"])


@pytest.fixture
def verdicts():
    """claims.csv of a study's folder."""
    return lambda folder: read(folder / "claims.csv")


@pytest.fixture
def statistics():
    """statistics.csv by system, condition and metric."""
    return lambda folder: read(folder / "statistics.csv").set_index(
        ["system", "condition", "metric"]
    )


@pytest.fixture
def tables():
    """What makes rows, claims and run folders."""

    class Makers:
        clips = CLIPS
        stoi = staticmethod(stoi)
        claim = staticmethod(claim)
        write_run = staticmethod(write_run)

    return Makers
