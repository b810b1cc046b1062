"""The command line of the analysis: which runs and checkpoint, which evaluators, how many clips."""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import fields
from itertools import chain
from pathlib import Path

import torch

from analysis import registry
from analysis.latent_lm.presets import PRESETS
from analysis.resources import Options, Resources
from analysis.runner import AnalysisRunner
from analysis.runs import find_run, find_system
from analysis.systems.system import SystemFault
from dcvae.data.test_sets import ANY_COUNT, TEST_SETS, find_manifest
from dcvae.runs import PEERS, PLAN, RECORD, STATISTICS, read_run
from dcvae.study_plan import read_plan
from dcvae.utils.errors import one_line, user_errors

DEFAULT_CLIPS = 200
VOCODER = {"name": "griffin_lim"}  # of systems' ceilings, and of mel models among them
MANIFESTS = "manifests"  # in OUT: of test sets that were asked for by name
CLIP_COUNTS = ("clips", "robustness_clips", "word_clips", "unseen_clips")


def parser() -> argparse.ArgumentParser:
    it = argparse.ArgumentParser(
        prog="python -m analysis",
        description="Run every evaluator on trained runs, over fixed clips of the manifest's splits"
        " test and unseen. What is measured for the same checkpoint, clips and metrics is not"
        " measured again.",
        epilog=f"Evaluators: {', '.join(registry.EVALUATORS)}.",
    )
    it.add_argument("runs", nargs="*", type=Path, metavar="RUN_DIR", help="a finished run's folder")
    it.add_argument(
        "--study",
        type=Path,
        metavar="DIR",
        help="RUNS/studies/NAME: compute the statistics and verdicts of its runs",
    )
    it.add_argument("--only", type=names, metavar="A,B", help="these evaluators alone")
    it.add_argument("--skip", type=names, metavar="A,B", help="leave these evaluators out")
    it.add_argument("--checkpoint", choices=("last", "best"), default="last")
    it.add_argument(
        "--clips",
        type=int,
        help=f"how many (as a run named by --manifest was scored on, else {DEFAULT_CLIPS})",
    )
    it.add_argument(
        "--robustness-clips",
        type=int,
        default=Options.robustness_clips,
        help="how many of them input_noise, round_trips, channels and interface take (%(default)s)",
    )
    it.add_argument(
        "--word-clips",
        type=int,
        default=Options.word_clips,
        help="on how many test clips words are recognised, whatever --clips says (%(default)s)",
    )
    it.add_argument(
        "--unseen-clips",
        type=int,
        default=Options.unseen_clips,
        help="how many of the split 'unseen' are scored, if there is one (%(default)s)",
    )
    it.add_argument(
        "--whisper",
        default=Options.whisper,
        metavar="MODEL",
        help="a name of openai-whisper's, a file, bundled, bundled-en, or auto: cached, else"
        " bundled (%(default)s)",
    )
    it.add_argument(
        "--budget",
        choices=tuple(PRESETS),
        default=Options.budget,
        help="of the model that is trained on the latents (%(default)s)",
    )
    it.add_argument(
        "--no-study",
        action="store_true",
        help="leave the statistics of the runs together to a later call",
    )
    it.add_argument(
        "--manifest",
        help="what systems are scored on; of runs, where theirs lies now. A file, a run's folder"
        " for the run's, or a published test set"
        f" NAME:FOLDER[?{ANY_COUNT}], NAME one of {', '.join(TEST_SETS)}",
    )
    it.add_argument(
        "--system",
        action="append",
        default=[],
        dest="systems",
        metavar="[NAME=]SPEC",
        help="score another system as well, in OUT/NAME; may be said again. SPEC is run:FOLDER,"
        " checkpoint:FOLDER, ffmpeg:opus@6k, griffin_lim, bigvgan[:FOLDER],"
        " transformers:FOLDER_OR_NAME[?codebooks=8], diffusers:FOLDER_OR_NAME,"
        " python:MODULE:FACTORY[?OPTION=VALUE&...] or pairs:REFERENCES,OUTPUTS",
    )
    it.add_argument(
        "--out",
        type=Path,
        default=Path("runs") / PEERS,
        help="where systems are scored: a report shows those in RUNS/peers (%(default)s)",
    )
    it.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return it


def names(text: str) -> list[str]:
    """Reads "a, b" as a and b."""
    return [name.strip() for name in text.split(",") if name.strip()]


def main(arguments: Sequence[str] | None = None) -> None:
    """Score every run given; any that cannot be scored is reported before work begins."""
    with user_errors("analysis"):
        options = parser().parse_args(arguments)
        if not options.runs and options.study is None and not options.systems:
            raise ValueError("name a run's folder, a study's with --study, or a --system")
        if options.clips is None:
            options.clips = clips_of_run(options.manifest) or DEFAULT_CLIPS
        for name in CLIP_COUNTS:
            if getattr(options, name) < 1:
                flag = f"--{name.replace('_', '-')}"
                raise ValueError(f"{flag} must be 1 or more, not {getattr(options, name)}")
        chosen = registry.choose(options.only, options.skip)
        if options.manifest is not None:
            options.manifest = find_manifest(options.manifest, options.out / MANIFESTS)
        runs = [find_run(folder, options.checkpoint, options.manifest) for folder in options.runs]
        device = device_named(options.device)
        asked = {field.name: getattr(options, field.name) for field in fields(Options)}
        resources = Resources(device, Options(**asked))
        if options.whisper != Options.whisper:
            _ = resources.recogniser  # a wrong name is told before work begins
        with AnalysisRunner(chosen, options.clips, resources) as scorer:
            for run in runs:
                print(f"{run.name}: {scorer.score(run)}", file=sys.stderr)
            failed = score_systems(options, scorer)
        studies: list[Path] = []
        if options.study is not None:
            if read_plan(options.study) is None:
                raise ValueError(f"--study {options.study} is no study's folder: it has no {PLAN}")
            studies = [options.study]
        elif not options.no_study:
            studies = list(dict.fromkeys(run.size_folder for run in runs))
            studies += [options.out] * bool(options.systems and options.out.is_dir())
        summarise_studies(studies)
        tracked = [run.folder for run in runs if run.mlflow is not None]
        if tracked or options.study is not None:
            tracked += [study for study in studies if (study / STATISTICS).is_file()]
        sync_mlflow(tracked)
        if failed:
            sys.exit(2)


def clips_of_run(manifest: str | None) -> int:
    """On how many clips the run was scored whose folder stands for its manifest; else 0."""
    if manifest is None or not Path(manifest, RECORD).is_file():
        return 0
    summary = read_run(Path(manifest)).summary or {}
    return len(summary.get("clips", ()))


def score_systems(options: argparse.Namespace, scorer: AnalysisRunner) -> bool:
    """Score every system; whether one could not be, which is told in a line and stops no other."""
    failed = False
    for text in options.systems:
        try:
            run = find_system(text, options.out, options.manifest, VOCODER)
            print(f"{run.name}: {scorer.score(run)}", file=sys.stderr)
        except SystemFault as error:
            reason = one_line(error)
            named = text.partition(":")[2] in reason
            print(f"analysis: {reason if named else f'{text}: {reason}'}", file=sys.stderr)
            failed = True
    return failed


def summarise_studies(folders: Sequence[Path]) -> None:
    """Compute and write the statistics of each, and say which runs are left out."""
    if folders:
        from analysis.statistics.tables import summarise_study  # scipy.stats takes a second

        for note in chain.from_iterable(map(summarise_study, folders)):
            print(f"analysis: {note}", file=sys.stderr)


def sync_mlflow(folders: Sequence[Path]) -> None:
    """Let MLflow have what it lacks of runs that were tracked, and of their studies.

    MLflow is a convenience: where it does not answer, one line says so.
    """
    if folders:
        command = [sys.executable, "-m", "experiments.tracking", "sync", *map(str, folders)]
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL)


def device_named(name: str) -> torch.device:
    """The torch device of that name; ValueError where this machine has none such."""
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"--device {name} cannot be used here: {reason}") from None
    return device
