"""Runs kept as small tables, and restored."""

import json
import lzma
from pathlib import Path

import pytest

from analysis.archive import main
from dcvae.runs import read_run

LABELS = "clip,speaker\na,Ann\nb,Bob\n"
TABLE = "run,ablation,seed,clip,condition,metric,value,reason\n" + "".join(
    f"tiny/x+y@350/seed1,x+y,1,{clip},reconstruction,stoi,0.{digit},\n"
    for clip, digit in zip("ab", "57", strict=True)
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A scored run of another budget, as one machine left it."""
    folder = tmp_path / "runs" / "tiny-350steps" / "x+y" / "seed1"
    (folder / "analysis").mkdir(parents=True)
    record = {
        "ablation": "x+y",
        "size": "tiny",
        "seed": 1,
        "budget": 350,
        "status": "finished",
        "config": {"loader": {"cache": "data/pcm"}, "data": {"paths": ["/home/me/a b/m.csv"]}},
        "manifest": "/home/me/data/m.csv",
        "mlflow": {"tracking_uri": "http://me:secret@host:5000", "run_id": "1"},
    }
    (folder / "run.json").write_text(json.dumps(record))
    (folder / "metrics.jsonl").write_text('{"step": 1}\n')
    summary = {
        "manifest": "m.csv (12ab)",
        "clips": ["a", "b"],
        "skipped": {"visqol": "no file '/opt/models/v.tflite': 1/2 s, see http://host/page"},
    }
    (folder / "analysis" / "analysis.json").write_text(json.dumps(summary))
    (folder / "analysis" / "table.csv").write_text(TABLE)
    (folder / "analysis" / "clips.csv").write_text(LABELS)
    return folder


def write_plan(archive: Path, max_seeds: int | None = None, **changes: object) -> None:
    planned = {"ablation": "x+y", "parts": ["x", "y"], "seed": 1, "budget": 350}
    plan = {
        "name": "s",
        "claims": [],
        "family": [],
        "factors": [],
        "runs": [{**planned, "folder": "tiny-350steps/x+y/seed1", **changes}],
        "max_seeds": max_seeds,
    }
    (archive / "study.json").write_text(json.dumps(plan))


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_what_is_kept_names_no_place_of_the_machine(tmp_path, run):
    archive = tmp_path / "archive"
    main(["keep", str(run), "--into", str(archive)])
    kept = contents(archive)
    place = "tables/x+y@350/seed1"
    assert set(kept) == {
        "clips.csv.xz",
        *(f"{place}/{name}" for name in ("run.json", "analysis.json")),
        *(f"{place}/{name}.xz" for name in ("table.csv", "metrics.jsonl")),
    }
    assert lzma.decompress(kept[f"{place}/table.csv.xz"]).decode() == TABLE
    record = json.loads(kept[f"{place}/run.json"])
    assert record["manifest"] == "m.csv"
    assert record["config"] == {"loader": {"cache": "data/pcm"}, "data": {"paths": ["m.csv"]}}
    assert "mlflow" not in record
    said = json.loads(kept[f"{place}/analysis.json"])
    assert said["manifest"] == "m.csv (12ab)"
    assert said["skipped"]["visqol"] == "no file 'v.tflite': 1/2 s, see http://host/page"


def test_a_restored_run_is_where_the_plan_has_it_and_is_kept_as_the_same_bytes(
    tmp_path, run, capsys
):
    first, again = tmp_path / "archive", tmp_path / "again"
    main(["keep", str(run), "--into", str(first)])
    write_plan(first)
    main(["restore", str(first), "--runs", str(tmp_path / "restored")])
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "restored/studies/s")
    restored = tmp_path / "restored" / "tiny-350steps" / "x+y" / "seed1"
    for name in ("analysis/table.csv", "analysis/clips.csv", "metrics.jsonl"):
        assert (restored / name).read_bytes() == (run / name).read_bytes()
    assert read_run(restored).command.startswith("accelerate launch")  # there are no weights
    statistics = json.loads((tmp_path / "restored/studies/s/statistics.json").read_text())
    assert list(statistics["tables"]) == ["tiny/x+y@350/seed1"]
    main(["keep", str(restored), "--into", str(again)])
    (first / "study.json").unlink()
    assert contents(again) == contents(first)


def test_what_earlier_looks_decided_is_restored(tmp_path, run, capsys):
    """Or a study that goes on would be judged at a single look, with all of the 5%."""
    archive, looks = tmp_path / "archive", [{"seeds": 2, "alpha": 0.01, "decided": {"a": "b"}}]
    main(["keep", str(run), "--into", str(archive)])
    write_plan(archive)
    main(["restore", str(archive), "--runs", str(tmp_path / "plain")])
    record = json.loads((tmp_path / "plain/studies/s/statistics.json").read_text())
    write_plan(archive, max_seeds=8)
    with pytest.raises(SystemExit):
        main(["restore", str(archive), "--runs", str(tmp_path / "first")])
    assert "lacks the study's statistics.json" in capsys.readouterr().err
    (archive / "statistics.json").write_text(json.dumps(record | {"looks": looks, "max_seeds": 8}))
    main(["restore", str(archive), "--runs", str(tmp_path / "second")])
    statistics = json.loads((tmp_path / "second/studies/s/statistics.json").read_text())
    assert statistics["looks"] == looks


def test_what_cannot_be_kept_or_restored_is_told_in_a_line(tmp_path, run, capsys):
    archive, runs = tmp_path / "archive", tmp_path / "restored"

    def fails(*arguments: str) -> str:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
        (line,) = capsys.readouterr().err.splitlines()
        return line

    main(["keep", str(run), "--into", str(archive)])
    restore = ("restore", str(archive), "--runs", str(runs))
    assert "has no study.json" in fails(*restore)
    write_plan(archive, seed=2)
    assert "tables/x+y@350/seed1 is of no run that" in fails(*restore)
    assert "is not empty" in fails(*restore)
    write_plan(archive)
    packed = archive / "tables" / "x+y@350" / "seed1" / "table.csv.xz"
    packed.write_bytes(packed.read_bytes()[:-20])
    line = fails(*restore[:-1], str(tmp_path / "other"))
    assert f"{packed} is damaged" in line
    (run / "analysis" / "clips.csv").write_text(LABELS.replace("Bob", "Eve"))
    assert "are not of the same clips and labels" in fails("keep", str(run), "--into", str(archive))
    (run / "analysis" / "analysis.json").unlink()
    assert "is not finished and analysed" in fails("keep", str(run), "--into", str(archive))
