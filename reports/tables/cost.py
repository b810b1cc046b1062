"""The paper's table of what the runs cost."""

from dcvae.runs import Run
from reports.formatting import UNKNOWN
from reports.study.study import Study
from reports.tables.table import Cell, Column, Table, number_cell, text_cell


def cost(study: Study) -> Table:
    """What each run took, on which device."""
    columns = [
        Column("run", "run", words=True),
        Column("device", "device", words=True),
        Column("processes", "processes"),
        Column("precision", "precision", words=True),
        Column("parameters", "parameters, M"),
        Column("steps", "steps"),
        Column("train_seconds", "training, h"),
        Column("steps_per_second", "steps/s"),
        Column("speech_per_second", "speech s/s"),
    ]
    return Table(
        "cost",
        "The cost of training",
        "Speech s/s: seconds of speech heard in a second of training.",
        columns,
        [cost_cells(run) for run in study.runs if "train_seconds" in run.record],
    )


def cost_cells(run: Run) -> list[Cell]:
    """What run.json says of a run's cost."""
    said = run.record
    seconds = float(said["train_seconds"])

    def rate(key: str) -> Cell:
        return number_cell(said[key] / seconds if key in said and seconds > 0 else None, 2)

    return [
        text_cell(run.name),
        text_cell(str(said.get("device") or UNKNOWN)),
        number_cell(said.get("processes")),
        text_cell(str(said.get("precision") or UNKNOWN)),
        number_cell(said.get("parameters"), 2, 1e-6),
        number_cell(said.get("steps")),
        number_cell(seconds, 3, 1 / 3600),
        rate("steps"),
        rate("speech_seconds"),
    ]
