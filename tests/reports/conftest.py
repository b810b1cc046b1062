"""Run folders as the trainer and the analysis leave them, small and with known numbers."""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from analysis.outputs.table import Row, make_table, write_table
from analysis.statistics.tables import summarise_study
from dcvae.claims import read_claims
from dcvae.runs import Run
from reports.build import main
from reports.page.html import render
from reports.study.collect import collect
from reports.study.results import KEY, STATISTICS_COLUMNS, TEXTS, Record, Results
from reports.study.study import Study
from reports.tables.all_tables import all_tables
from reports.tables.table import Table

Values = Mapping[tuple[str, str, str], float]  # by ablation, condition, metric
DATE = "2025-01-31"
CLIPS = [f"voice-{number}-0123456789" for number in range(8)]
LEVEL = {"plain_ae": 0.45}  # mel L1 of the first clip without noise; others have .5
SLOPE = {"plain_ae": 0.5, "no_noise": 0.45, "no_layernorm": 0.25}  # what noise of 1 adds
BASE_SLOPE, TOGETHER = 0.15, 0.3  # TOGETHER: what no_noise and no_layernorm add beyond their sum
CLAIMS = {  # text, metric, direction and component
    "plain_ae": ["It does not bear noise.|latent_noise_1.0/mel_l1|up|noise"],
    "no_dispersive": [
        "Speakers separate less.|latents/speaker_probe|down|dispersive",
        "Speech is kept no better.|reconstruction/stoi|down|compression",
    ],
    "no_noise": ["Without noise it is fragile.|latent_noise_1.0/mel_l1|up|noise"],
    "no_layernorm": [
        "It bears noise less.|latent_noise_1.0/mel_l1|up|noise",
        "The rank falls.|latents/effective_rank|down|layernorm",
    ],
    "no_feature_matching": ["Quality falls too.|reconstruction/pesq_wb|down|critics"],
    "no_adversary": ["Quality falls.|reconstruction/pesq_wb|down|critics"],
}
FACTORS = ["no_noise", "no_layernorm"]
CELLS = ["baseline", "no_noise", "no_layernorm", "no_layernorm+no_noise"]
EXPLORATORY = "plain_ae:latent_noise_1.0/mel_l1"


def stated(ablation: str) -> list[dict[str, Any]]:
    """The claims of an ablation's file."""
    keys = ("text", "metric", "direction", "component")
    lines = CLAIMS.get(ablation, [])
    return [{**dict(zip(keys, line.split("|"), strict=True)), "margin": 0.02} for line in lines]


def by_chance(ablation: str, seed: int) -> float:
    """What a training seed does to mel L1: little to most, much to no_adversary, seed 0 nothing."""
    spread = 0.05 if ablation == "no_adversary" else 0.002
    return spread * float(np.sin(seed * sum(map(ord, ablation)))) if seed else 0.0


def table_rows(ablation: str, seed: int) -> list[Row]:
    """plain_ae is .05 better without noise and .3 worse at noise 1; the last clip is broken."""
    parts, luck = ablation.split("+"), by_chance(ablation, seed)
    extra = sum(SLOPE.get(part, BASE_SLOPE) - BASE_SLOPE for part in parts)
    extra += TOGETHER * (set(FACTORS) <= set(parts))
    rank = 12.5 - 4 * ("no_layernorm" in parts) + 50 * luck
    rows = [Row("", "latents", "effective_rank", rank), Row("", "latents", "dispersive", 0.0123)]
    for number, clip in enumerate(CLIPS):
        wobble = 0.01 * number
        clean = LEVEL.get(ablation, 0.5) + wobble + luck
        slope = BASE_SLOPE + extra + (0.002 * (number - 3) if extra else 0)
        values = {
            ("ceiling", "pesq_wb"): 3.5 + wobble,
            ("ceiling", "stoi"): 0.95,
            ("reconstruction", "pesq_wb"): 1.9 - clean,
            ("reconstruction", "stoi"): 1.1 - clean,
            ("reconstruction", "mel_l1"): clean,
            ("untrained", "mel_l1"): 2.5,
            ("unseen_ceiling", "stoi"): 0.9,
            ("unseen", "stoi"): 1.0 - clean,
            ("latent_noise_0.5", "mel_l1"): clean + 0.5 * slope,
            ("latent_noise_1.0", "mel_l1"): clean + slope,
            ("latent_noise_area", "mel_l1_rise"): 0.4 * slope,
            ("latent_noise_per_dim_0.5", "mel_l1"): clean + 0.6 * slope,
            ("latent_noise_per_dim_area", "mel_l1_rise"): 0.3 * slope,
        }
        if number in (1, 3, 5):  # the recogniser knows the language of three clips
            values["reconstruction", "dwer_errors"] = number
            values["reconstruction", "dwer_total"] = 2.0 * number + 2
        broken = number == len(CLIPS) - 1
        for (condition, metric), value in values.items():
            shown = (np.nan, "the clip is broken") if broken else (value, "")
            rows.append(Row(clip, condition, metric, *shown))
    return rows


def write_run(
    root: Path, ablation: str, seed: int = 0, analysed: bool = True, budget: int | None = None
) -> Path:
    """A run in `root`/tiny, with the statistics of all runs beside it where it is analysed."""
    folder = root / (f"tiny-{budget}steps" if budget else "tiny") / ablation / f"seed{seed}"
    folder.mkdir(parents=True)
    described = {
        "ablation": ablation,
        "size": "tiny",
        "seed": seed,
        "budget": budget,
        "status": "finished",
        "claims": stated(ablation),
        "commit": "abcdef0123456789",
        "steps": budget or 1200,
        "parameters": 1_230_000,
        "floats_per_second": 430.66,
        "latent_frames_per_second": 5.383,
        "speech_seconds": 3600.0,
        "train_seconds": 90.0,
    }
    if ablation != "plain_ae":
        described["free_floats_per_second"] = 376.8
    (folder / "run.json").write_text(json.dumps(described))
    points = [
        {"step": step, "train/reconstruction": 1 / step, "validation/reconstruction": 2 / step}
        for step in range(10, 200, 10)
    ]
    lines = [json.dumps(point) for point in points]
    (folder / "metrics.jsonl").write_text("\n".join([*lines, '{"step": 200, "tra']))
    if analysed:
        write_analysis(folder, ablation, seed)
        summarise_study(folder.parents[1])
    return folder


def write_plan(
    root: Path,
    name: str,
    systems: Mapping[str, Sequence[int]],
    budgets: Sequence[int | None] = (None,),
    max_seeds: int | None = None,
) -> Path:
    """RUNS/studies/NAME, as the study plans it before its first run: ablations with their seeds."""
    claims = [one for system in systems for one in read_claims(system, stated(system))]
    runs = [
        {
            "folder": f"tiny{f'-{budget}steps' if budget else ''}/{system}/seed{seed}",
            "ablation": system,
            "parts": [] if system == "baseline" else system.split("+"),
            "seed": seed,
            "budget": budget,
        }
        for budget in budgets
        for system, seeds in systems.items()
        for seed in seeds
    ]
    folder = root / "studies" / name
    folder.mkdir(parents=True)
    plan = {
        "name": name,
        "claims": [asdict(one) for one in claims],
        "family": [one.id for one in claims if one.id != EXPLORATORY],
        "factors": FACTORS if set(CELLS) <= set(systems) else [],
        "runs": runs,
        "max_seeds": max_seeds,
    }
    (folder / "study.json").write_text(json.dumps(plan))
    return folder


def write_analysis(folder: Path, ablation: str, seed: int) -> None:
    analysis = folder / "analysis"
    analysis.mkdir()
    table = make_table(f"tiny/{ablation}/seed{seed}", ablation, seed, table_rows(ablation, seed))
    write_table(analysis / "table.csv", table)
    summary = {"clips": CLIPS, "vocoder": {"name": "griffin_lim"}, "versions": {"stoi": "1"}}
    (analysis / "analysis.json").write_text(json.dumps(summary))
    generator = np.random.default_rng(0)
    kept = [("examples", "reconstruction", clip) for clip in CLIPS[:2]]
    for folder_name, output, clip in [*kept, ("continuations", "continuation", CLIPS[0])]:
        place = analysis / folder_name / clip
        place.mkdir(parents=True)
        mel = generator.normal(-4, 2, (80, 60)).astype(np.float32)
        np.savez_compressed(place / "mel.npz", original=mel, **{output: mel + 0.1})
        for name in ("original", "ceiling", output):
            wave = generator.normal(0, 0.1, 60 * 256).astype(np.float32)
            soundfile.write(place / f"{name}.wav", wave, 22050, subtype="PCM_16")


def write_peer(
    root: Path,
    name: str,
    title: str,
    rates: Mapping[str, float],
    values: Mapping[tuple[str, str], float],
) -> Path:
    """A peer in `root`/peers, of the same values on every clip, with the peers' statistics."""
    folder = root / "peers" / name / "seed0"
    (folder / "analysis").mkdir(parents=True)
    record = {"ablation": name, "title": title, "size": "peers", "seed": 0, "status": "finished"}
    (folder / "run.json").write_text(json.dumps(record | {"rates": rates}))
    rows = [Row(clip, *cell, value) for cell, value in values.items() for clip in CLIPS]
    table = make_table(f"peers/{name}/seed0", name, 0, rows)
    write_table(folder / "analysis" / "table.csv", table)
    said = next(root.glob("tiny/baseline/seed0/analysis/analysis.json")).read_text()
    (folder / "analysis" / "analysis.json").write_text(said)
    summarise_study(root / "peers")
    return folder


@pytest.fixture(scope="session")
def make_peer() -> Callable[..., Path]:
    return write_peer


@pytest.fixture(scope="session")
def make_run() -> Callable[..., Path]:
    return write_run


@pytest.fixture(scope="session")
def make_plan() -> Callable[..., Path]:
    return write_plan


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three ablations, all analysed. Tests read it and never write."""
    root = tmp_path_factory.mktemp("study") / "runs"
    for ablation in ("baseline", "plain_ae", "no_dispersive"):
        write_run(root, ablation)
    return root


@pytest.fixture(scope="session")
def planned_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study "parts": a factorial, three variants, three seeds. Tests read it and never write.

    One planned variant, no_feature_matching, was not run.
    """
    root = tmp_path_factory.mktemp("planned") / "runs"
    systems = [*CELLS, "plain_ae", "no_dispersive", "no_adversary"]
    for system in systems:
        for seed in range(3):
            write_analysis(write_run(root, system, seed, analysed=False), system, seed)
    folder = write_plan(root, "parts", dict.fromkeys([*systems, "no_feature_matching"], range(3)))
    assert summarise_study(folder) == []
    return root


@pytest.fixture(scope="module")
def study(runs: Path) -> Study:
    return collect(runs)


@pytest.fixture(scope="module")
def planned(planned_runs: Path) -> Study:
    return collect(planned_runs)


@pytest.fixture(scope="session")
def built(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder that `python -m reports.build` makes of the runs, and what it prints."""
    out = tmp_path_factory.mktemp("built") / "out"
    with redirect_stdout(io.StringIO()) as printed:
        main([str(runs), "--out", str(out)])
    return out, printed.getvalue()


@pytest.fixture(scope="session")
def page(built: tuple[Path, str]) -> str:
    """The page of `study`."""
    return (built[0] / "index.html").read_text()


@pytest.fixture(scope="session")
def planned_page(planned_runs: Path) -> str:
    """The page of `planned` without its figures, which take half a minute."""
    study = collect(planned_runs)
    return render(study, DATE, [])


@pytest.fixture(scope="module")
def tables(study: Study) -> dict[str, Table]:
    return {table.name: table for table in all_tables(study)}


def study_of(ablations: list[str], values: Values, claims: list[Record] | None = None) -> Study:
    """Statistics by hand; every interval is the value and .01 on both sides."""
    empty = {name: "" if name in TEXTS else np.nan for name in STATISTICS_COLUMNS}
    rows = []
    for cell, value in values.items():
        known = {"value": value, "low": value - 0.01, "high": value + 0.01}
        place = dict(zip(KEY, cell, strict=True))
        rows.append({**empty, **place, **known, "n_scored": 5, "n_failed": 0, "seeds": 1})
    runs = [Run(Path(name), {"ablation": name, "size": "tiny", "seed": 0}) for name in ablations]
    return Study("tiny", runs, Results(pd.DataFrame(rows), claims or []))


def check_fit(figure: Figure) -> None:
    """All of it is on the canvas, the legend covers nothing, and each panel has half an inch."""
    figure.draw_without_rendering()
    box = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    slack = 0.02  # inches
    assert box.x0 >= -slack
    assert box.y0 >= -slack
    assert box.x1 <= width + slack
    assert box.y1 <= height + slack
    for axes in figure.axes:
        assert axes.get_window_extent().height > 0.5 * figure.dpi
        for legend in figure.legends:
            taken = axes.get_tightbbox()
            assert taken is not None
            assert Bbox.intersection(legend.get_window_extent(), taken) is None


@pytest.fixture
def by_hand() -> Callable[..., Study]:
    return study_of


@pytest.fixture
def fits() -> Callable[[Figure], None]:
    return check_fit
