"""python -m analysis on small runs: what is written, skipped, resumed, counted and refused."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from analysis import batching, registry
from analysis.cli import main
from analysis.evaluators import audio_quality
from analysis.outputs.table import read_table, summarise
from dcvae.audio.io import read_audio, write_audio
from dcvae.audio.mel import HOP
from dcvae.data.manifest import Clip, read_manifest, write_manifest
from dcvae.utils.locks import folder_lock

DATA = Path(__file__).parents[1] / "data" / "manifest.csv"
QUICK = ["--device", "cpu", "--only", "quality,round_trips"]


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two spoken clips, a silent one and one that is gone, all in the test split."""
    folder = tmp_path_factory.mktemp("corpus")
    clips = []
    for number, clip in enumerate(read_manifest(DATA)[:2]):
        write_audio(folder / f"spoken{number}.wav", read_audio(clip.path, stop=2.0), 22050)
        clips.append(Clip(folder / f"spoken{number}.wav", 2.0, 22050, split="test"))
    write_audio(folder / "silent.wav", torch.zeros(22050), 22050)
    clips.append(Clip(folder / "silent.wav", 1.0, 22050, split="test"))
    clips.append(Clip(folder / "gone.wav", 1.5, 22050, split="test"))
    write_manifest(folder / "manifest.csv", clips)
    return folder / "manifest.csv"


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory, manifest: Path, make_run) -> list[Path]:
    """Two runs scored in one call."""
    root = tmp_path_factory.mktemp("runs")
    runs = [
        make_run(root, manifest, "baseline"),
        make_run(root, manifest, "no_noise", noise="none"),
    ]
    main([*map(str, runs), "--clips", "4", *QUICK])
    return runs


def test_every_clip_has_a_row_for_every_metric_and_failures_are_counted(
    scored: list[Path],
) -> None:
    for folder in scored:
        table = read_table(folder / "analysis" / "table.csv")
        assert set(table["run"]) == {f"debug/{folder.parent.name}/seed0"}
        summary = summarise(table).set_index(["condition", "metric"])
        for cell in [
            *(
                (condition, metric)
                for condition in ("ceiling", "reconstruction")
                for metric in ("pesq_wb", "pesq_nb", "stoi", "estoi", "mcd")
            ),
            ("reconstruction", "mel_l1"),
            ("reconstruction", "log_modulation_ratio"),
            ("bands_4000_11025hz", "log_modulation_ratio"),
            ("untrained", "mel_l1"),
            ("round_trip_8", "mel_l1"),
            ("round_trip_8", "stoi"),
        ]:
            assert tuple(summary.loc[cell, ["n_scored", "n_failed"]]) == (2, 2), cell
        failed = table[table["value"].isna()]
        assert failed["reason"].str.len().min() > 5
        assert failed["reason"].str.contains("no such audio file").any()
        assert (table[table["value"].notna()]["reason"] == "").all()


def test_the_ceiling_is_the_same_for_both_runs_and_above_an_untrained_model(
    scored: list[Path],
) -> None:
    first, second = (read_table(folder / "analysis" / "table.csv") for folder in scored)
    ceilings = [one[one["condition"] == "ceiling"]["value"].to_numpy() for one in (first, second)]
    np.testing.assert_array_equal(*ceilings)
    means = summarise(first).set_index(["condition", "metric"])["mean"]
    assert means["ceiling", "stoi"] > means["reconstruction", "stoi"]


def test_a_later_run_takes_the_ceiling_from_disk(tmp_path: Path, manifest: Path, make_run) -> None:
    """Told by a score of the first run's that is changed on disk."""
    first, second = (make_run(tmp_path, manifest, name) for name in ("baseline", "no_noise"))
    main([str(first), "--clips", "4", "--device", "cpu", "--only", "quality"])
    (kept,) = (tmp_path / "debug").glob("references-*.jsonl")
    lines = [json.loads(line) for line in kept.read_text().splitlines()]
    for kind, _, _, rows in lines:
        if kind == "quality":
            rows[0][3] = 0.125
    kept.write_text("".join(json.dumps(line) + "\n" for line in lines))
    main([str(second), "--clips", "4", "--device", "cpu", "--only", "quality"])
    table = read_table(second / "analysis" / "table.csv")
    ceiling = table[(table["condition"] == "ceiling") & table["value"].notna()]
    assert (ceiling["value"] == 0.125).sum() == 3  # one of each clip, the silent one too


def test_examples_are_whole_and_cut_alike(scored: list[Path]) -> None:
    examples = sorted((scored[0] / "analysis" / "examples").iterdir())
    assert len(examples) == 2
    for folder in examples:
        waves = [
            read_audio(folder / f"{name}.wav") for name in ("original", "ceiling", "reconstruction")
        ]
        mels = np.load(folder / "mel.npz")
        assert {len(wave) for wave in waves} == {mels["original"].shape[1] * HOP}
        assert mels["original"].shape == mels["reconstruction"].shape


def test_the_summary_says_how_long_each_evaluator_took_and_with_what(scored: list[Path]) -> None:
    summary = json.loads((scored[0] / "analysis" / "analysis.json").read_text())
    quality_facts = summary["evaluators"]["quality"]
    assert quality_facts["seconds"] > 0
    assert quality_facts["real_time_factor"] == pytest.approx(
        quality_facts["seconds"] / quality_facts["speech_seconds"], rel=0.01
    )
    assert "pesq" in quality_facts["version"]
    assert set(summary["evaluators"]) == {"quality", "round_trips"}


def test_only_what_changed_is_asked_again(
    scored: list[Path], tmp_path: Path, tiny_model, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    folder = tmp_path / "debug" / "baseline" / "seed0"
    shutil.copytree(scored[0], folder)
    table = folder / "analysis" / "table.csv"

    def asked(*arguments: str) -> list[str]:
        main([str(folder), *QUICK, *arguments])
        lines = capsys.readouterr().err.splitlines()
        return [
            name for name in ("quality", "round_trips") if any(f": {name}: " in x for x in lines)
        ]

    before = table.stat().st_mtime_ns
    assert asked("--clips", "4") == []
    assert table.stat().st_mtime_ns == before
    assert asked("--clips", "3") == ["quality", "round_trips"]
    assert read_table(table)["clip"].nunique() == 3
    newer = {
        **registry.EVALUATORS,
        "quality": replace(audio_quality.EVALUATOR, version=99),
    }
    monkeypatch.setattr(registry, "EVALUATORS", newer)
    assert asked("--clips", "3") == ["quality"]
    tiny_model(noise_std=0.1).save_pretrained(folder / "last")
    assert asked("--clips", "3") == ["quality", "round_trips"]
    main([str(folder), "--device", "cpu", "--clips", "3", "--only", "round_trips"])
    assert "reconstruction" in set(read_table(table)["condition"])  # what was answered stays


def test_an_interrupted_analysis_resumes_at_the_clip_where_it_stopped(
    scored: list[Path], tmp_path: Path, spoken: Path, make_run, monkeypatch
) -> None:
    """Stopped after the first batch; then only the clips of the others are measured."""
    monkeypatch.setattr(batching, "READ_AT_ONCE", 4)  # three batches or more
    folder = make_run(tmp_path, spoken, "baseline")
    measure, seen = audio_quality.EVALUATOR.measure, []

    def stopping(batches, context):
        for number, rows in enumerate(measure(batches, context)):
            if number == 1:
                raise KeyboardInterrupt
            yield rows

    def watching(batches, context):
        for rows in measure(batches, context):
            seen.extend({row.clip for row in rows})
            yield rows

    def replaced(function):
        return {"quality": replace(audio_quality.EVALUATOR, measure=function)}

    arguments = [str(folder), "--device", "cpu", "--only", "quality"]
    monkeypatch.setattr(registry, "EVALUATORS", replaced(stopping))
    with pytest.raises(SystemExit, match="130"):
        main(arguments)
    assert not (folder / "analysis" / "table.csv").exists()
    monkeypatch.setattr(registry, "EVALUATORS", replaced(watching))
    main(arguments)
    table = read_table(folder / "analysis" / "table.csv")
    assert 0 < len(seen) < table["clip"].nunique()
    assert not table.duplicated(["clip", "condition", "metric"]).any()
    again = make_run(tmp_path / "undisturbed", spoken, "baseline")
    main([str(again), *arguments[1:]])
    expected = read_table(again / "analysis" / "table.csv")
    labels = [name for name in table if name != "value"]
    assert table[labels].equals(expected[labels])
    # in batches of other sizes, whose rounding Griffin-Lim amplifies before it is scored; another
    # clip's scores are 10% away
    np.testing.assert_allclose(table["value"], expected["value"], rtol=1e-2, atol=1e-3)


def test_a_missing_package_skips_its_evaluator_with_one_line(
    scored: list[Path], capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    name = "pitch"
    evaluator = registry.EVALUATORS[name]
    lacking = replace(evaluator, libraries=("no-such-package",))
    monkeypatch.setattr(registry, "EVALUATORS", {name: lacking})
    main([str(scored[0]), "--clips", "4", "--device", "cpu"])
    lines = [line for line in capsys.readouterr().err.splitlines() if "skipped: " in line]
    assert len(lines) == 1
    assert "no-such-package is not installed: pip install 'dcvae[pitch]'" in lines[0]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (shutil.rmtree, "there is no such run folder"),
        (lambda run: (run / "run.json").unlink(), "it has no run.json"),
        (lambda run: (run / "run.json").write_text("{"), "is damaged"),
        (lambda run: edit(run, status="running"), "not finished"),
        (lambda run: edit(run, manifest="/moved/manifest.csv"), "--manifest PATH"),
        (lambda run: edit(run, seed="none"), "its seed is 'none'"),
        (lambda run: shutil.rmtree(run / "last"), "has no checkpoint 'last'"),
        (lambda run: (run / "last" / "model.safetensors").write_bytes(b"x"), "is damaged"),
        (lambda run: edit(run, config={"vocoder": {"name": "wavenet"}}), "no vocoder is named"),
    ],
)
def test_a_run_that_cannot_be_scored_is_one_line_and_status_2(
    tmp_path: Path, manifest: Path, make_run, capsys: pytest.CaptureFixture[str], spoil, message
) -> None:
    run = make_run(tmp_path, manifest, "baseline")
    spoil(run)
    with pytest.raises(SystemExit) as stop:
        main([str(run), "--clips", "2", *QUICK])
    assert stop.value.code == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert message in lines[0]
    assert not (run / "analysis").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "qualty"], "no evaluator is named 'qualty': choose from quality"),
        (["--skip", "all"], "no evaluator is named 'all'"),
        (["--only", "quality", "--skip", "quality"], "leave no evaluator"),
        (["--clips", "0"], "--clips must be 1 or more"),
        (["--robustness-clips", "0"], "--robustness-clips must be 1 or more"),
        (["--word-clips", "-1"], "--word-clips must be 1 or more"),
        (["--unseen-clips", "0"], "--unseen-clips must be 1 or more"),
        (["--whisper", "huge"], "huge"),
        (["--device", "cuda:9"], "cannot be used here"),
    ],
)
def test_a_wrong_option_is_one_line_and_status_2(
    scored: list[Path], capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as stop:
        main([str(scored[0]), *arguments])
    assert stop.value.code == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert message in lines[0]


def edit(run: Path, **changes: object) -> None:
    described = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**described, **changes}))


def test_a_corpus_that_is_gone_is_named(
    tmp_path: Path, make_run, capsys: pytest.CaptureFixture[str]
) -> None:
    clips = [Clip(tmp_path / f"gone{i}.wav", 2.0, 22050, split="test") for i in range(3)]
    write_manifest(tmp_path / "manifest.csv", clips)
    run = make_run(tmp_path, tmp_path / "manifest.csv", "baseline")
    with pytest.raises(SystemExit):
        main([str(run), *QUICK])
    assert "none of the 3 clips can be read" in capsys.readouterr().err


def test_the_studys_statistics_can_be_left_to_a_later_call(
    scored: list[Path], tmp_path: Path
) -> None:
    folder = tmp_path / "debug" / "baseline" / "seed0"
    shutil.copytree(scored[0], folder)
    main([str(folder), *QUICK, "--clips", "4", "--no-study"])
    assert not (tmp_path / "debug" / "statistics.csv").exists()
    main([str(folder), *QUICK, "--clips", "4"])
    assert (tmp_path / "debug" / "statistics.csv").exists()


def test_a_run_that_another_analysis_scores_is_left_alone(
    scored: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    with folder_lock(scored[0] / "analysis"), pytest.raises(SystemExit) as ended:
        main([str(scored[0]), *QUICK, "--clips", "4"])
    assert ended.value.code == 2
    assert "in use" in capsys.readouterr().err
