"""Under what protocol a run's numbers were made, for who wants to compare theirs.

README.md for readers, and eval_results.yaml for the hub. Both are made of analysis.json, table.csv
and run.json alone, so that the same results give the same bytes.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from analysis.context import TEST
from analysis.outputs.headlines import headlines
from analysis.outputs.hub_results import Facts, hub_results, manifest_name
from analysis.outputs.table import read_table
from analysis.statistics.study_runs import read_speakers
from dcvae.data.provenance import Evaluation, Score
from dcvae.models.model_card import score_table, two_columns
from dcvae.runs import CLIPS, EVAL_RESULTS, PROTOCOL, SUMMARY, Run, read_object
from dcvae.utils.files import replace_text

REASONS = 10  # of failures, that are listed
FACTS = ("recogniser_sha256",)  # of an evaluator, that a reader needs beside its settings
RATES = {  # of Rates, with what they are called here
    "sample_rate": "sample rate in Hz",
    "latent_rate": "latent frames a second",
    "dims": "floats a latent frame",
    "floats_per_second": "floats a second",
    "bits_per_second": "bits a second",
    "codebooks": "codebooks",
}


def write_protocol(run: Run) -> None:
    """Write both files into the run's analysis folder, README.md last."""
    facts = read_object(run.analysis / SUMMARY)
    table = read_table(run.table)
    evaluation = Evaluation(
        TEST,
        str(facts["vocoder"].get("name")),
        headlines(table, read_speakers(run.analysis / CLIPS)),
    )
    replace_text(run.analysis / EVAL_RESULTS, hub_results(run, facts, evaluation))
    replace_text(run.analysis / PROTOCOL, protocol(run, facts, table, evaluation.scores))


def protocol(run: Run, facts: Facts, table: pd.DataFrame, scores: Sequence[Score]) -> str:
    """The text of README.md."""
    sections = [
        f"# {run.name}: results and their protocol",
        "Written with each scoring, of `analysis.json`, `table.csv` and `../run.json`.",
        "## Results",
        describe_results(scores),
        "## Failed measurements",
        describe_failures(table),
        "## System",
        two_columns(describe_system(run, facts)),
        "## Clips",
        describe_clips(facts),
        "## Comparison",
        two_columns(describe_comparison(facts)),
        "## Evaluators",
        "\n".join(describe_evaluators(facts)),
        "## Software",
        "\n".join(describe_software(facts["evaluators"])),
        "## Command",
        f"```bash\n{facts['command']}\n```",
        "## Files",
        FILES,
    ]
    return "\n\n".join(sections) + "\n"


FILES = f"""\
- `table.csv`: every measurement of every clip; a failed one is `nan` with its reason.
- `summary.csv`: the mean of every metric in every condition, with its interval.
- `analysis.json`: the facts above for programs, with the names of all clips.
- `{EVAL_RESULTS}`: the results above as the Hugging Face Hub reads them from the folder
  `.eval_results` of a model's repository. It shows those whose `dataset.id` is a benchmark that is
  registered there; here it is the corpus' own name."""


def describe_results(scores: Sequence[Score]) -> str:
    """The headline table and how to read it."""
    if not scores:
        return "None of the headline metrics is measured."
    return (
        f"On the split `{TEST}`: means with 95% intervals over clips, of this system as it is; a"
        " word error rate is the errors of all clips over the words of all references. `ceiling` is"
        " the original's mel through the vocoder named below, `original` the original itself."
        f"\n\n{score_table(scores)}"
    )


def describe_failures(table: pd.DataFrame) -> str:
    """The most frequent reasons, with how many measurements and clips each has cost."""
    failed = table[table["value"].isna()]
    if failed.empty:
        return f"None of {len(table):,}."
    clips = failed["clip"].where(failed["clip"] != "")  # "" is the whole set
    groups = clips.groupby(failed["reason"]).agg(["size", "nunique"]).reset_index()
    groups = groups.sort_values(["size", "reason"], ascending=[False, True])
    rows = [
        f"| {cell(reason)} | {size} | {clips} |"
        for reason, size, clips in groups.head(REASONS).itertuples(index=False)
    ]
    others = len(groups) - len(rows)
    text = f"{len(failed):,} of {len(table):,}, none of which enters a mean."
    head = ["| reason | measurements | clips |", "|---|---|---|"]
    more = [f"\nand {others} other reasons: see table.csv"] if others else []
    return "\n".join([f"{text}\n", *head, *rows, *more])


def describe_system(run: Run, facts: Facts) -> dict[str, str]:
    """What was scored, what it sends a second, and the digests of what it is made of."""
    record, system = run.record, facts["system"]
    corpus = record.get("corpus") or {}
    rows = {
        "name": run.title,
        "specification": record.get("spec"),
        "checkpoint": facts.get("checkpoint"),
        "steps of training": record.get("steps"),
        "trained on": corpus.get("name"),
        "commit of training": record.get("commit"),
    }
    rates = {RATES[name]: number(value) for name, value in system["rates"].items()}
    said = {name: str(value) for name, value in rows.items() if value is not None}
    return said | rates | {name: f"`{value}`" for name, value in system["identity"].items()}


def describe_clips(facts: Facts) -> str:
    """The manifest, and each set of clips with the evaluators that took it."""
    comparison = facts["comparison"]
    takers: dict[str, list[str]] = defaultdict(list)
    selections = {}
    for name, known in facts["evaluators"].items():
        selection = known["selection"]
        takers[selection["sha256"]].append(name)
        selections[selection["sha256"]] = selection
    rows = [
        f"| {', '.join(names)} | {splits(selections[digest])} | {selections[digest]['seconds']:g} |"
        f" `{digest}` |"
        for digest, names in takers.items()
    ]
    head = ["| evaluators | clips | seconds | SHA-256 of the names |", "|---|---|---|---|"]
    manifest = {
        "manifest": f"`{manifest_name(facts)}`",
        "SHA-256 of the manifest": f"`{facts['manifest_sha256']}`",
        "shortest": f"{comparison['shortest_seconds']:g} s: shorter clips are left out",
        "longest": f"{comparison['longest_seconds']:g} s: of longer clips the start is scored",
    }
    return (
        f"{two_columns(manifest)}\n\nSeconds are the manifest's, as far as they are scored. The"
        " digest is the SHA-256 of the clips' names in alphabetical order, each with a newline"
        " behind it.\n\n" + "\n".join([*head, *rows])
    )


def splits(selection: Facts) -> str:
    """Reads 16 of test, 12 of unseen."""
    return ", ".join(f"{count} of {split}" for split, count in selection["splits"].items())


def describe_comparison(facts: Facts) -> dict[str, str]:
    """To what all waves are brought, and the vocoder of the ceiling."""
    comparison = facts["comparison"]
    vocoder = dict(comparison["ceiling"])
    mel = comparison["mel"]
    rows = {
        "sample rate": f"{comparison['sample_rate']:,} Hz, mono: outputs at another are resampled",
        "mel": f"{mel['bins']} bins from {mel['low_hz']:,g} to {mel['high_hz']:,g} Hz, natural log"
        f" of magnitude, windows of {mel['window']} samples every {mel['hop']}",
        "vocoder of the ceiling": str(vocoder.pop("name")),
    }
    if vocoder:
        rows["its options"] = listed(vocoder)
    if digest := facts.get("vocoder_sha256"):
        rows["SHA-256 of its files"] = f"`{digest}`"
    return rows


def describe_evaluators(facts: Facts) -> Iterator[str]:
    """A line for each: version with those of its packages, protocol, settings."""
    first: dict[str, str] = {}
    for name, known in facts["evaluators"].items():
        said = dict(known["settings"]) | {one: known[one] for one in FACTS if known.get(one)}
        protocol = known.get("protocol", "")
        if first.setdefault(protocol, name) != name:
            protocol = protocol and f"As {first[protocol]}."
        ends = [protocol, f"Settings: {listed(said)}." if said else ""]
        yield " ".join(filter(None, [f"- **{name}**, version {known['version']}.", *ends]))
    for name, reason in facts["skipped"].items():
        yield f"- {name} is not measured: {cell(reason)}."


def describe_software(evaluators: Mapping[str, Facts]) -> Iterator[str]:
    """A line for each environment that some evaluators ran in, once for all where there is one."""
    users: dict[str, list[str]] = defaultdict(list)
    for name, known in evaluators.items():
        users[listed(known.get("environment") or {})].append(name)
    for environment, names in users.items():
        whose = f"{', '.join(names)}: " if len(users) > 1 else ""
        yield f"- {whose}{environment or 'not recorded'}"


def listed(values: Facts) -> str:
    """Reads `iterations` 64, `momentum` 0.99."""
    return ", ".join(
        f"`{name}` {value if isinstance(value, str) else json.dumps(value)}"
        for name, value in values.items()
    )


def number(value: float) -> str:
    """An integer as it is, another number with three decimals at most."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}".rstrip("0").rstrip(".")


def cell(text: str) -> str:
    """On one line, without the bar that would end a table's cell."""
    return " ".join(text.split()).replace("|", "/")
