"""What is shown of a run: from its files, on a terminal and elsewhere."""

import io
import json

from rich.console import Console

from experiments.studies.console import Lines, LiveTable, duration
from experiments.studies.progress import Progress, read_progress
from experiments.studies.scheduler import Entry
from experiments.studies.status import FINISHED, RUNNING


def write_run(folder) -> None:
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"status": "running", "steps": 700}))
    rows = [
        {"step": 100, "validation/reconstruction": 0.75, "time": 1.0},
        {"step": 110, "train/reconstruction": 0.5, "train/steps_per_second": 4.0, "time": 2.0},
    ]
    old = "".join(json.dumps({"step": n, "train/reconstruction": 9.0}) + "\n" for n in range(5000))
    text = old + "".join(json.dumps(row) + "\n" for row in rows) + '{"step": 120, "trai'
    (folder / "metrics.jsonl").write_text(text)


def test_progress_is_the_last_of_each_number(tmp_path):
    assert read_progress(tmp_path / "none") == Progress()
    write_run(tmp_path / "run")
    progress = read_progress(tmp_path / "run")
    assert progress == Progress(110, 700, 4.0, 0.5, 0.75)
    assert progress.remaining == (700 - 110) / 4


def test_a_terminal_shows_a_table(make_job):
    job = make_job("run", "")
    write_run(job.run_dir)
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    with LiveTable(console) as display:
        display.show([Entry("baseline/seed0", job, RUNNING)])
    shown = console.file.getvalue()
    for text in ("baseline/seed0", "running", "110 of 700", "4.00", "0:02:28", "0.500", "0.750"):
        assert text in shown


def test_elsewhere_a_line_for_each_change(make_job, capsys):
    entry = Entry("baseline/seed0", make_job("run", ""), RUNNING)
    with Lines() as display:
        for state in (RUNNING, RUNNING, FINISHED):
            entry.state = state
            display.show([entry])
    assert capsys.readouterr().out.splitlines() == [
        "baseline/seed0: running",
        "baseline/seed0: finished",
    ]


def test_durations():
    assert duration(3723.4) == "1:02:03"
