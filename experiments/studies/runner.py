"""A plan carried out: all runs, then what is made of them together."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from dcvae.utils.locks import folder_lock
from experiments.studies.commands import (
    analyse_command,
    environment,
    gpu_variables,
    quoted,
    report_commands,
    statistics_commands,
    train_command,
)
from experiments.studies.console import make_display
from experiments.studies.executors import Executor, LocalExecutor
from experiments.studies.job import Ending, Job
from experiments.studies.job_records import JobRecords
from experiments.studies.looks import next_block
from experiments.studies.plan import Plan, Row
from experiments.studies.progress import tail
from experiments.studies.registration import register
from experiments.studies.scheduler import PERIOD, Entry, Scheduler, Stop
from experiments.studies.status import FAILED, FINISHED, SKIPPED, state_of
from experiments.studies.summary import exit_status, last_lines, summarise

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def describe(plan: Plan) -> list[str]:
    """The commands that are left, as lines for a shell, with a comment on how each run stands."""
    shares, lines = make_shares(plan), []
    phase = ""
    for number, row in enumerate(plan.rows):
        if row.phase != phase:
            phase = row.phase
            lines.append(f"# phase {phase}")
        job = make_job(plan, row)
        state = state_of(row.run_dir, job.analyse is not None)
        lines.append(f"# {row.name}: {state}")
        variables = environment(plan.study, shares[number % len(shares)] if shares else None)
        if state != FINISHED:
            lines += [quoted(command, variables) for command in (job.train, job.analyse) if command]
    ends = [*statistics_commands(plan), *report_commands(plan)]
    gpus = shares[0] if shares else None
    if ends:
        lines.append("# of all runs")
    return [*lines, *(quoted(command, gpu_variables(gpus)) for command in ends)]


def run_study(plan: Plan, fail_fast: bool = False) -> int:
    """Run everything, and go on with more seeds where the study says so; the exit status."""
    stop = Stop()
    with alone(plan), catching_signals(stop):
        while True:
            register(plan)
            entries = run_all(plan, stop, fail_fast)
            if stop or not any(entry.state in (FINISHED, SKIPPED) for entry in entries):
                return exit_status(entries, stop)
            if not end(plan, statistics_commands(plan), stop):
                return exit_status(entries, stop) or 1
            failed = any(entry.state == FAILED for entry in entries)
            following = None if failed else next_block(plan)
            if following is None:
                break
            plan = following
        if not end(plan, report_commands(plan), stop):
            return exit_status(entries, stop) or 1
        return exit_status(entries, stop)


def run_all(plan: Plan, stop: Stop, fail_fast: bool) -> list[Entry]:
    """The plan's runs, brought to their ends."""
    started = time.monotonic()
    entries = [Entry(row.name, make_job(plan, row)) for row in plan.rows]
    records = JobRecords(plan.folder / "jobs.json")
    scheduler = Scheduler(make_executor(plan), records, stop, make_shares(plan), fail_fast)
    with make_display() as display:
        scheduler.run(entries, display.show)
    print(summarise(entries, time.monotonic() - started), flush=True)
    return entries


def end(plan: Plan, commands: list[list[str]], stop: Stop) -> bool:
    """Carry out what follows the runs; whether that was done."""
    if not commands:
        return True
    shares = make_shares(plan)
    log = plan.folder / "logs" / "study.log"
    ending = Ending(log, commands, gpu_variables(shares[0] if shares else None))
    handle = LocalExecutor(1).submit(ending)
    while not handle.done():
        if stop:
            handle.terminate()
        time.sleep(PERIOD)
    made = handle.result().state == FINISHED
    if made:
        print(tail(ending.log, 4096).rstrip().rpartition("\n")[2], flush=True)
    elif not stop:
        print(f"the end of {ending.log}:", *last_lines(ending.log), sep="\n    ", flush=True)
    return made


def make_job(plan: Plan, row: Row) -> Job:
    analysis = plan.study.analysis
    steps = "" if row.budget is None else f"-{row.budget}steps"
    return Job(
        run_dir=row.run_dir,
        log=plan.folder / "logs" / f"{row.ablation}-seed{row.seed}{steps}.log",
        train=train_command(plan.study, row),
        analyse=analyse_command(analysis, row.run_dir) if analysis else None,
        variables=environment(plan.study),
    )


def make_executor(plan: Plan) -> Executor:
    if plan.study.executor == "local":
        return LocalExecutor(plan.study.jobs)
    from experiments.studies.submitit_executor import SubmititExecutor

    return SubmititExecutor(plan.study, plan.folder)


def make_shares(plan: Plan) -> list[list[str]] | None:
    """The GPUs of each job that runs at once; None where they are not named."""
    gpus, each = plan.study.gpus, plan.study.processes
    if gpus is None:
        return None
    return [gpus[first : first + each] for first in range(0, plan.study.jobs * each, each)]


def alone(plan: Plan) -> AbstractContextManager[None]:
    """Two studies that submit would submit twice; local ones share the runs by their locks."""
    return nullcontext() if plan.study.executor == "local" else folder_lock(plan.folder)


@contextmanager
def catching_signals(stop: Stop) -> Iterator[None]:
    """The first signal sets `stop` for this block; further ones change nothing."""

    def catch(number: int, _: object) -> None:
        if stop.signal is None:
            stop.signal = number
        if number == signal.SIGHUP:  # the terminal is gone, and what is written to it would fail
            sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115

    before = {number: signal.signal(number, catch) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
