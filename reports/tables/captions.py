"""What a table's caption must tell a reader who has only the table."""

from collections.abc import Iterable

from reports.study.study import Study
from reports.tables.table import Table

MARKS = {
    "best": "Best in bold, of those that have most seeds.",
    "clear": "†: a difference to the baseline of the same training seeds, two or more, with"
    " p < 0.05: exploratory, uncorrected.",
}


def caption(table: Table, study: Study, date: str) -> str:
    """Title, how to read it, marks, test set, seeds, counts, failures, commits and date."""
    marks = [text for mark, text in MARKS.items() if mark in table.marks]
    sentences = [f"{table.title}.", table.note, *marks, models(study)]
    if table.tried:
        sentences += [test_set(study, table), *counts(table)]
    return " ".join([*sentences, f"{commits(study)}, {date}."])


def models(study: Study) -> str:
    """Study, size and training seeds."""
    name = f"Study {study.name}: models" if study.name else "Models"
    return f"{name} of size {study.size}, training {plural('seed', study.seeds)}."


def test_set(study: Study, table: Table) -> str:
    """Corpus and split, and how many clips of it were decoded: all that have labels are encoded."""
    corpora = {str((run.record.get("corpus") or {}).get("name", "")) for run in study.runs}
    corpus = "".join(f"{name}, " for name in sorted(corpora) if name)
    decoded = f", {study.clips} clips decoded" if table.split == Table.split else ""
    return f"Test set: {corpus}{table.split} split{decoded}."


def counts(table: Table) -> list[str]:
    """How many measurements stand behind a number of a table that has some, and what failed."""
    if any(column.paired for column in table.columns):
        return [f"Clips behind a difference: {next(iter(table.tried))}."]
    (most, _), *others = table.tried.items()
    parts = [f"Measurements tried for a number: {most}"]
    parts += [f"{count} for {', '.join(map(bare, titles))}" for count, titles in others]
    failed, total = table.counts
    return ["; ".join(parts) + ".", f"{failed} of {total} measurements failed and enter no mean."]


def bare(title: str) -> str:
    """A column's title without its arrow, and without commas: it stands in a list."""
    return title.rstrip(" ↑↓").replace(",", "")


def commits(study: Study) -> str:
    """The commits that trained the runs, as the page abbreviates them."""
    found = {str(run.record.get("commit") or "unknown")[:10] for run in study.runs}
    return plural("Commit", sorted(found))


def plural(noun: str, values: Iterable[object]) -> str:
    """Reads "seeds 0, 1"."""
    shown = [str(value) for value in values]
    return f"{noun}{'s' if len(shown) > 1 else ''} {', '.join(shown)}"
