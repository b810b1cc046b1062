"""A good file of every kind, and what reads it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import soundfile
import torch

import analysis.cli
import dcvae.cli
import reports.build
from analysis.outputs.table import Row, make_table, read_table, write_table
from analysis.runs import find_run
from analysis.statistics.study_runs import read_speakers, read_study_run
from analysis.statistics.tables import summarise_study
from dcvae import LatentShards, SpeechAutoencoder
from dcvae.claims import read_claims
from dcvae.data.latent_shards import LABELS, Moments, ShardFacts, shard_name, write_shard
from dcvae.data.manifest import Clip, read_manifest, write_manifest
from dcvae.data.sources import AUDIO, find_sources
from dcvae.inference.shards.encoding import finish
from dcvae.inference.shards.plan import Plan
from dcvae.inference.transcode.latents_file import Encoded, read_encoded, write_encoded
from dcvae.models.pretrained import load_checkpoint
from dcvae.runs import Run, read_run, require_record
from dcvae.study_plan import read_plan
from dcvae.utils.files import files_sha256
from dcvae.utils.jsonl import RowReader
from experiments.record import epoch
from experiments.studies.job_records import JobRecords
from experiments.tracking.mlflow_sync import NEEDED, identify, params, tags
from experiments.yaml_files import check_ablation, check_yaml
from reports.page.html import render
from reports.study.collect import collect
from reports.study.study import points_of

Reader = Callable[[Path], Any]  # gives something that can be compared
SEED = "runs/tiny/baseline/seed0"
PLANNED = {
    "ablation": "baseline", "seed": 0, "budget": None, "folder": "tiny/baseline/seed0", "parts": [],
}  # fmt: skip
CLAIM = {
    "text": "x",
    "metric": "reconstruction/stoi",
    "direction": "up",
    "margin": 0.1,
    "component": "noise",
}
ABLATION = """\
# @package _global_
defaults: [no_noise]
model: {noise: null, channels: [8, 8]}
claims:
  - {text: x, metric: reconstruction/stoi, direction: up, margin: 0.1}
"""
LAYERS = [0, 1, 1, 1, 1]
SMALL = {"channels": [8, 8, 8, 8, 16], "encoder_layers": LAYERS, "decoder_layers": LAYERS}


@dataclass(frozen=True)
class Kind:
    """A kind of file: where it lies, what reads it, and the command that does."""

    path: str
    readers: Sequence[Reader]
    command: Callable[[Path], None] | None = None
    by_line: bool = False  # damaged rows are left out, or a cut is seen elsewhere: by a digest
    fits: Sequence[str] = ()  # what is good, or absent, to these readers
    is_page: bool = False  # it takes a fifth of a second


def run_facts(path: Path) -> Any:
    run = read_run(path.parent)
    texts = run.name, run.title, run.command, run.system, run.size_folder
    return texts, run.steps, run.budget, run.seed, run.status, run.rates


def run_to_score(path: Path) -> Any:
    found = find_run(path.parent)
    return found.manifest, found.vocoder


def run_to_track(path: Path) -> Any:
    record = require_record(path.parent, *NEEDED)
    ended = record.get("finished")
    return identify(path.parent, record), params(record), tags(record), ended and epoch(ended)


def page(path: Path) -> Any:
    """The report without its figures."""
    study = collect(runs_above(path))
    return render(study, "2025-01-31", [])


def planned_page(path: Path) -> Any:
    return render(collect(runs_above(path), name="s"), "2025-01-31", [])


def plan_facts(path: Path) -> Any:
    plan = read_plan(path.parent)
    return plan and (plan, plan.budgets, plan.present)


def shards_read(path: Path) -> Any:
    shards = LatentShards(path.parent, standardise=True)
    return [(frames.tolist(), record) for frames, record in (shards[0], shards[1])]


def model_read(path: Path) -> Any:
    load_checkpoint(path.parent)
    model = SpeechAutoencoder.from_pretrained(path.parent)
    return [(name, list(one.shape)) for name, one in model.state_dict().items()]


def latents_read(path: Path) -> Any:
    return [str(value) for value in vars(read_encoded(path)).values()]


def rows_read(path: Path) -> Any:
    rows = RowReader(path).read()
    return [(row["step"], len(row)) for row in rows]


def points_read(path: Path) -> Any:
    return [point["step"] for point in points_of(Run(path.parent, {}))]


def job_entry(path: Path) -> Any:
    return JobRecords(path).get(Path("runs/a"))


def table_read(path: Path) -> Any:
    return read_table(path).astype(str).to_numpy().tolist()


def scored_run(path: Path) -> Any:
    run = read_study_run(path.parents[1])
    return run.sha256, run.speakers, [*(run.ratios or {})]


def clips_read(path: Path) -> Any:
    return [*read_manifest(path)]


def ablation_read(path: Path) -> Any:
    check_ablation(path, frozenset({"defaults", "model", "claims"}))
    return [*check_yaml(path)]


def sources_read(path: Path) -> Any:
    return find_sources([path], AUDIO)


def runs_above(path: Path) -> Path:
    return next(folder for folder in path.parents if folder.name == "runs")


def report(path: Path, *more: str) -> None:
    reports.build.main(
        [str(runs_above(path)), "--out", str(runs_above(path).parent / "out"), *more]
    )


def encode(path: Path) -> None:
    root = path.parents[1]
    speech = str(root / "speech" / "a.wav")
    dcvae.cli.main(["encode", speech, "--model", str(path.parent), "--out", str(root / "encoded")])


def decode(path: Path) -> None:
    root = path.parents[1]
    model, out = str(root / "model"), str(root / "decoded")
    dcvae.cli.main(["decode", str(path), "--model", model, "--out", out])


def encode_all(path: Path) -> None:
    root = path.parents[1]
    model, out = str(root / "model"), str(root / "encoded")
    dcvae.cli.main(["encode", str(path), "--model", model, "--out", out])


def analyse(path: Path) -> None:
    analysis.cli.main([str(path.parent)])


def analyse_study(path: Path) -> None:
    analysis.cli.main(["--study", str(path.parent)])


LINKS = ["a dangling link", "a link to itself"]
KINDS: dict[str, Kind] = {
    "a run": Kind(f"{SEED}/run.json", [run_facts], analyse),
    "a run to score": Kind(f"{SEED}/run.json", [run_to_score], analyse),
    "a run to track": Kind(f"{SEED}/run.json", [run_to_track]),
    "a run's page": Kind(f"{SEED}/run.json", [page], report, fits=LINKS, is_page=True),
    "a run's metrics": Kind(f"{SEED}/metrics.jsonl", [rows_read], by_line=True),
    "a run's curves": Kind(f"{SEED}/metrics.jsonl", [points_read], by_line=True),
    "a run's table": Kind(f"{SEED}/analysis/table.csv", [table_read], by_line=True),
    "a scored run's table": Kind(f"{SEED}/analysis/table.csv", [scored_run]),
    "a scored run's clips": Kind(f"{SEED}/analysis/clips.csv", [scored_run]),
    "a scored run": Kind(f"{SEED}/analysis/analysis.json", [scored_run], fits=["an empty object"]),
    "a run's clips": Kind(f"{SEED}/analysis/clips.csv", [read_speakers], by_line=True),
    "a run's summary": Kind(
        f"{SEED}/analysis/analysis.json", [page], report, fits=["an empty object"], is_page=True
    ),
    "statistics": Kind("runs/tiny/statistics.json", [page], report, is_page=True),
    "values": Kind("runs/tiny/statistics.csv", [page], report, is_page=True),
    "claims": Kind("runs/tiny/claims.csv", [page], report, is_page=True),
    "a study": Kind("runs/studies/s/study.json", [plan_facts], analyse_study),
    "a study's page": Kind(
        "runs/studies/s/study.json",
        [planned_page],
        lambda path: report(path, "--study", "s"),
        is_page=True,
    ),
    "jobs": Kind("jobs/jobs.json", [job_entry], fits=["an empty object"]),
    "a model's config": Kind("model/config.json", [model_read], encode),
    "a model's weights": Kind("model/model.safetensors", [model_read], encode),
    "latents": Kind("latents/a.safetensors", [latents_read], decode),
    "a manifest": Kind("speech/manifest.csv", [clips_read, sources_read], encode_all),
    "a large manifest": Kind("speech/manifest.parquet", [clips_read, sources_read], encode_all),
    "an ablation": Kind("conf/ablation/x.yaml", [ablation_read], by_line=True),
    "a set of latents": Kind("shards/dataset.json", [shards_read]),
    "its index": Kind("shards/index.parquet", [shards_read]),
    "its shard": Kind("shards/shard-00000.safetensors", [shards_read]),
}


@pytest.fixture(
    scope="package",
    params=[
        pytest.param(name, marks=[pytest.mark.slow] * one.is_page) for name, one in KINDS.items()
    ],
)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture(scope="package")
def good(kind: Kind, root: Path) -> list[Any]:
    """What each reader gives of the good file."""
    return [reader(root / kind.path) for reader in kind.readers]


@pytest.fixture(scope="package")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a good file of every kind; tests damage one at a time, and mend it."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "speech").mkdir()
    wave = np.random.default_rng(0).normal(0, 0.1, 8000)
    soundfile.write(folder / "speech" / "a.wav", wave, 16000)
    clips = [
        Clip(folder / "speech" / f"{name}.wav", 0.5, 16000, speaker=name, split="test")
        for name in "abc"
    ]
    for suffix in (".csv", ".parquet"):
        write_manifest(folder / "speech" / f"manifest{suffix}", clips)
    (folder / "conf" / "ablation").mkdir(parents=True)
    (folder / "conf" / "ablation" / "x.yaml").write_text(ABLATION)
    for seed in (0, 1):
        add_run(folder / "runs" / "tiny" / "baseline" / f"seed{seed}", folder / "speech", seed)
    add_study(folder / "runs" / "studies" / "s")
    assert summarise_study(folder / "runs" / "tiny") == []
    assert summarise_study(folder / "runs" / "studies" / "s") == []
    SpeechAutoencoder(**SMALL).save_pretrained(folder / "model")
    latents = Encoded(torch.ones(80, 3), 16000, 8000, 5.383, "0123456789abcdef")
    (folder / "latents").mkdir()
    write_encoded(folder / "latents" / "a.safetensors", latents)
    add_shards(folder / "shards")
    (folder / "jobs").mkdir()
    (folder / "jobs" / "jobs.json").write_text('{"runs/a": {"id": "1", "gpus": [0]}}')
    return folder


def add_run(folder: Path, speech: Path, seed: int) -> None:
    """A finished and scored run, without a checkpoint."""
    folder.mkdir(parents=True)
    record = {
        "ablation": "baseline", "size": "tiny", "seed": seed, "budget": None, "commit": "abc",
        "parts": ["baseline"], "corpus": {"name": "prompts", "clips": 3, "hours": 0.1},
        "status": "finished", "config": {"model": {"noise": "uniform"},
        "vocoder": {"name": "griffin_lim"}, "mlflow": {"experiment": "x"}},
        "claims": [], "manifest": str(speech / "manifest.csv"), "mlflow": None,
        "started": "2025-01-31T10:00:00+00:00", "finished": "2025-01-31T11:00:00+00:00",
        "steps": 100, "best_step": 90, "parameters": 1000, "floats_per_second": 430.66,
        "latent_frames_per_second": 5.383, "speech_seconds": 3600.0, "train_seconds": 90.0,
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(record, indent=2) + "\n")
    lines = [json.dumps({"step": step, "time": 1.5, "train/reconstruction": 1 / step})
             for step in range(10, 100, 10)]  # fmt: skip
    (folder / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    for name in ("config.json", "model.safetensors"):
        (folder / "last").mkdir(exist_ok=True)
        (folder / "last" / name).write_text("")
    place = folder / "analysis"
    place.mkdir()
    rows = [
        Row(clip, condition, metric, 0.5 + number / 10 + seed / 100)
        for number, clip in enumerate("abc")
        for condition in ("ceiling", "reconstruction")
        for metric in ("stoi", "pesq_wb", "mel_l1")
    ]
    write_table(
        place / "table.csv", make_table(f"tiny/baseline/seed{seed}", "baseline", seed, rows)
    )
    (place / "clips.csv").write_text("clip,speaker,language\na,x,en\nb,y,en\nc,z,en\n")
    summary = {
        "clips": ["a", "b", "c"], "vocoder": {"name": "griffin_lim"}, "versions": {"stoi": "1"},
        "manifest": "manifest.csv 0123", "metrics": {"stoi": "1"},
        "files": {name: files_sha256(place / name) for name in ("table.csv", "clips.csv")},
        "evaluators": {"modelability": {"train_seconds_per_step": 0.1}},
    }  # fmt: skip
    (place / "analysis.json").write_text(json.dumps(summary, indent=2) + "\n")


def add_study(folder: Path) -> None:
    """The plan of both runs, with a claim."""
    claims = [asdict(one) for one in read_claims("no_noise", [CLAIM])]
    runs = [{**PLANNED, "seed": n, "folder": f"tiny/baseline/seed{n}"} for n in (0, 1)]
    plan = {
        "name": "s", "claims": claims, "family": ["no_noise:reconstruction/stoi"], "factors": [],
        "runs": runs, "max_seeds": None,
    }  # fmt: skip
    folder.mkdir(parents=True)
    (folder / "study.json").write_text(json.dumps(plan, indent=2) + "\n")


def add_shards(folder: Path) -> None:
    """Two clips of latents, as encoding leaves them."""
    columns: dict[str, list[Any]] = {
        "id": ["a", "b"], "path": [b"", b""], "bytes": [0, 0],
        **{label: ["x", "y"] for label in LABELS},
    }  # fmt: skip
    plan = Plan(pa.table(columns), {"clips_per_shard": 2})
    frames = {name: torch.full((3, 6), 1.0 + n) for n, name in enumerate(plan.rows(0)["tensor"])}
    clips = {name: [3, 12000, 16000] for name in frames}
    folder.mkdir()
    moments = Moments.of(torch.cat([*frames.values()]))
    write_shard(folder / shard_name(0), frames, ShardFacts(plan.id, clips, {}, moments))
    finish(folder, plan, {"dims": 6})
