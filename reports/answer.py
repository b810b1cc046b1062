"""python -m reports.answer [FOLDER]: a study's verdicts as Markdown, promise by promise.

FOLDER holds the statistics of the study. What is printed stands between two comments, so that a
document that has it can be compared with the numbers that lie there now.
"""

import argparse
import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from dcvae.system_names import split_name
from dcvae.utils.errors import ended_by_interrupts, user_errors

with ended_by_interrupts():
    from dcvae.claims import COMPONENTS
    from dcvae.study_plan import StudyPlan, read_plan
    from reports.formatting import UNKNOWN, plain, signed, span
    from reports.study.budgets import BudgetTrend, at_one_budget, find_trends, sentences
    from reports.study.claims import Claim, with_strata
    from reports.study.results import (
        DECIDED,
        NOT_MEASURED,
        ONE_SEED,
        UNDECIDED,
        Estimate,
        Record,
        read_results,
    )
    from reports.tables.budgets import budgets
    from reports.tables.text import pipe_table

REFERENCE = Path("reports/reference")
BEGIN, END = "<!-- answer:begin -->", "<!-- answer:end -->"
ABSENT = re.compile(r"no run of (\S+) is there")  # what the analysis says of a system without runs
NAMED = re.compile(r"\S+/seed\d+(?=,| is | are )")
OPENINGS = {
    UNDECIDED: "Undecided so far:",
    ONE_SEED: "Of one seed each, which decides nothing,",
}
WIDTH = 98  # characters
HEAD = (
    "| promise of the design | ablation | measure | claimed | effect | 95% interval"
    " | in the full design | margin | verdict | seeds |\n|---|---|---|---|---|---|---|---|---|---|"
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the answer; a user's error is one line and exit status 2."""
    parser = argparse.ArgumentParser(prog="python -m reports.answer", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=REFERENCE, metavar="FOLDER")
    options = parser.parse_args(arguments)
    with user_errors("answer"):
        print(answer(options.folder))


def answer(folder: Path) -> str:
    """The block of Markdown, its two comments included."""
    results = read_results(folder, "make reference")
    asked = [one for one in with_strata(results) if not one.is_exploratory]
    once = at_one_budget(asked)
    table = "\n".join([HEAD, *rows(once)])
    read_from = basis(results.record, read_plan(folder))
    below = " ".join(filter(None, (read_from, beside(once), open_claims(asked))))
    parts = [table, wrapped(below), *other_budgets(find_trends(asked, results))]
    return "\n\n".join([BEGIN, *parts, END])


def other_budgets(trends: Sequence[BudgetTrend]) -> Iterator[str]:
    """The effects at several training budgets, and how many verdicts change between them."""
    if trends:
        what = "**Other training budgets**, each a training of its own, in the full design."
        yield wrapped(" ".join([what, *sentences(trends)]))
        yield "\n".join(pipe_table(budgets(trends)))


def wrapped(text: str) -> str:
    """A paragraph in lines that a reader of the source can read."""
    return "\n".join(textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False))


def rows(asked: Sequence[Claim]) -> Iterator[str]:
    """What was measured of each promise; one row of a promise of which nothing was.

    Open claims have a row where the promise has no others; else `beside` tells them.
    """
    told_beside = open_beside(asked)
    for name, promise in COMPONENTS.items():
        own = [one for one in asked if one.component == name]
        measured = [one for one in own if one.verdict != NOT_MEASURED and one not in told_beside]
        lines = [each for one in measured for each in (one, *unlike_strata(one))]
        for number, one in enumerate(lines):
            yield row("" if number else promise, one)
        if not lines:
            why = NOT_MEASURED if own else "no claim speaks of it"
            yield f"| {promise} | {UNKNOWN} | {UNKNOWN} | | | | | | {why} | 0 |"


def compared(one: Claim) -> str:
    """Behind a system's name: the stratum, or what a system is compared with as it stands."""
    if one.stratum:
        return f", {one.stratum}"
    if one.is_main_effect:
        return ""
    return " (to the baseline)" if one.is_against_baseline else f" (to {one.against})"


def open_beside(asked: Sequence[Claim]) -> list[Claim]:
    """The open claims on promises that others say more of: those of one seed where others have
    several, and undecided ones on variants where others are decided or main effects.
    """
    tested = [one for one in asked if one.verdict not in (NOT_MEASURED, ONE_SEED)]
    more = {one.component for one in tested}
    firm = {one.component for one in tested if one.is_main_effect or one.verdict != UNDECIDED}
    return [
        one
        for one in asked
        if (one.verdict == ONE_SEED and one.component in more)
        or (one.verdict == UNDECIDED and not one.is_main_effect and one.component in firm)
    ]


def beside(asked: Sequence[Claim]) -> str:
    """Sentences with the open claims that have no row, measure by measure."""
    found = open_beside(asked)
    parts = []
    for verdict, opening in OPENINGS.items():
        effects: dict[str, list[str]] = {}
        for one in (one for one in found if one.verdict == verdict):
            where = "" if one.is_against_baseline else compared(one)
            effect = signed(one.difference.mean, one.metric.digits)
            effects.setdefault(one.what, []).append(f"{one.system}{where} {effect}")
        told = "; ".join(f"{what}: {', '.join(some)}" for what, some in effects.items())
        parts += [f"{opening} {told}."] if told else []
    return " ".join(parts)


def unlike_strata(claim: Claim) -> Iterator[Claim]:
    """Those where a part is in place and where it is taken away, if that decides the verdict."""
    for pair in zip(claim.strata[::2], claim.strata[1::2], strict=True):
        verdicts = {one.verdict for one in pair}
        if len(verdicts) > 1 and verdicts <= set(DECIDED):
            yield from pair


def row(promise: str, one: Claim) -> str:
    """A claim, or one of its strata, in the unit in which its metric is written."""
    digits, difference = one.metric.digits, one.difference
    cells = [
        promise,
        f"{one.system}{compared(one)}",
        one.what + (" %" if one.metric.percent else ""),
        "more" if one.sign > 0 else "less",
        signed(difference.mean, digits),
        interval(difference, digits),
        in_full_design(one),
        plain(one.margin, digits),
        one.verdict,
        str(one.seeds),
    ]
    return f"| {' | '.join(cells)} |"


def in_full_design(one: Claim) -> str:
    """Of a main effect: the part taken out of the full design, and the verdict on that."""
    simple, digits = one.in_full_design, one.metric.digits
    if simple is None or not simple.difference.known:
        return ""
    found = f"{signed(simple.difference.mean, digits)} ({interval(simple.difference, digits)})"
    return f"{found}, {simple.verdict}"


def interval(one: Estimate, digits: int) -> str:
    return span(one, digits) if one.has_interval else UNKNOWN


def open_claims(asked: Sequence[Claim]) -> str:
    """What nothing measured: how many systems have no run, then the metrics that runs lack at
    every budget.
    """
    unmeasured = [one for one in asked if one.verdict == NOT_MEASURED]
    absent = [found[1] for one in unmeasured if (found := ABSENT.fullmatch(one.reason))]
    steps = dict.fromkeys(budget for one in absent if (budget := split_name(one)[1]))
    absent = [one for one in absent if not split_name(one)[1]]
    lacking = [
        f"{one.what} of {one.system}"
        for one in at_one_budget(asked)
        if one.verdict == NOT_MEASURED and not ABSENT.fullmatch(one.reason)
    ]
    parts = []
    if absent:
        number = len(dict.fromkeys(absent))
        parts.append(f"{number} more ablation{'s have' if number > 1 else ' has'} no run yet.")
    if steps:
        listed = ", ".join(f"{one:,}" for one in steps)
        parts.append(f"Not trained yet: the systems of {listed} steps.")
    if lacking:
        parts.append(f"Not measured in the runs that are there: {'; '.join(lacking)}.")
    return " ".join(parts)


def basis(record: Record, plan: StudyPlan | None) -> str:
    """From how many runs of which seeds, and how many are left out for which reason."""
    seeds, scored = ", ".join(map(str, record["seeds"])), len(record["tables"])
    runs = f"{scored} of the {len(plan.runs)} planned runs" if plan else f"{scored} runs"
    parts = [f"From {runs} of study {record['study']}, seeds {seeds}."]
    for line in record.get("left_out", ()):
        count = len(NAMED.findall(line))
        why = line.partition(" left out: ")[2].partition(": run ")[0]
        parts.append(f"{count} left out: {why}.")
    return " ".join(parts)


if __name__ == "__main__":
    main()
