"""A run folder whose run.json is damaged: one line, and nothing of it is changed."""

import json
from pathlib import Path

import pytest

RUN = Path(__file__).parents[2] / "experiments" / "run.py"
MANIFEST = Path(__file__).parents[1] / "data" / "manifest.csv"
ARGUMENTS = ("size=debug", "data=filelist", f"data.train={MANIFEST}", "mlflow=null")
DEEP = "[" * 100_000 + "]" * 100_000
DAMAGES = {
    '{"status": "running"}': "it has no 'config'",
    '{"status": "running", "config": "none"}': "its config is 'none', no mapping",
    '{"status": "running", "config": {"model": 3}}': "its config.model is 3, no mapping",
    '{"status": ["finished"], "config": {}}': "its status is ['finished'], no text",
    '{"status": "running", "config": {}, "started": 3}': "its started is 3, no text",
    '{"status": "running", "config": ' + DEEP + "}": "is damaged: ",
    '{"status": "runn': "is damaged: ",
    "[]": "holds no object",
}


@pytest.mark.parametrize(("text", "told"), DAMAGES.items(), ids=range(len(DAMAGES)))
def test_a_damaged_record_is_told_in_one_line(commands, tmp_path, text, told):
    folder = tmp_path / "runs" / "debug" / "baseline" / "seed0"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(text)
    done = commands(tmp_path, RUN, *ARGUMENTS)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert "baseline/seed0/run.json" in done.stderr
    assert done.stderr.count("\n") == 1
    assert (folder / "run.json").read_text() == text


def test_a_run_of_a_later_version_with_more_in_its_record_goes_on(commands, tmp_path):
    """Rows of its log that are none are left out."""
    done = commands(tmp_path, RUN, *ARGUMENTS, "trainer.steps=1", "trainer.save_every=1")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "runs" / "debug-1steps" / "baseline" / "seed0"
    record = json.loads((folder / "run.json").read_text())
    later = {"status": "running", "later": {"a": 1}, "corpus": record["corpus"] | {"later": 1}}
    (folder / "run.json").write_text(json.dumps(record | later))
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"time": 1}\n[3]\n{"step": "x"}\n')
    done = commands(tmp_path, RUN, *ARGUMENTS, "trainer.steps=1", "trainer.save_every=1")
    assert done.returncode == 0, done.stderr
    assert json.loads((folder / "run.json").read_text())["status"] == "finished"
