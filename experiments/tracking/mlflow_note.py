"""What a run's page in MLflow begins with: the verdicts on its ablation, its metrics and figures.

The page shows them as the run's description; the verdicts in short are a tag, which is a column of
the study's view.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pandas as pd

from dcvae.claims import BASELINE
from dcvae.runs import ANALYSIS, RunError
from dcvae.utils.errors import damage_in
from experiments.tracking.mlflow_study import VERDICT_TAG, description

HEADLINES = ("reconstruction/stoi", "reconstruction/pesq_wb", "reconstruction/mel_l1")
LONGEST = 8000  # characters of a tag
DIGITS = 4
COLUMNS = {  # of claims.csv
    "system": str, "against": str, "text": str, "condition": str, "metric": str, "margin": float,
    "stratum": str, "difference": float, "low": float, "high": float, "verdict": str,
}  # fmt: skip


def read_claims(path: Path) -> pd.DataFrame:
    """COLUMNS of a study's claims.csv; RunError where it lacks one."""
    with damage_in(path, RunError):
        return pd.read_csv(path, usecols=list(COLUMNS), dtype=COLUMNS)


def send_note(client: Any, run: Any, claims: pd.DataFrame, figures: Iterable[str]) -> int:
    """Verdicts and description of a run as far as it has others; how many tags that took.

    `claims` are the rows of claims.csv about its system, `figures` paths of artifacts.
    """
    from mlflow.entities import RunTag

    known = run.data.tags
    text = note(run, claims, figures)
    tags = {VERDICT_TAG: in_short(claims)} if len(claims) else {}
    tags = {name: tags[name] for name in tags if known.get(name) != tags[name]}
    tags |= description(known, text)
    if tags:
        entries = [RunTag(name, value) for name, value in tags.items()]
        client.log_batch(run.info.run_id, tags=entries)
    return len(tags)


def in_short(claims: pd.DataFrame) -> str:
    """As in "supported", or "2 supported, 1 undecided"; parts of a main effect do not count."""
    found = Counter(claims.loc[claims["stratum"].isna(), "verdict"])
    if len(found) == 1:
        return str(next(iter(found)))
    return ", ".join(f"{count} {verdict}" for verdict, count in found.most_common())


def note(run: Any, claims: pd.DataFrame, figures: Iterable[str]) -> str:
    """The description in Markdown, with as many figures as there is room for."""
    text = "\n\n".join([*verdict_lines(run, claims), metrics_table(run.data.metrics, claims)])
    for path in figures:
        # the page's address ends before the "#", so that this is the server's own
        address = urlencode({"path": path, "run_uuid": run.info.run_id})
        line = f"\n\n![{path}](get-artifact?{address})"
        if len(text) + len(line) <= LONGEST:
            text += line
    return text[:LONGEST]


def verdict_lines(run: Any, claims: pd.DataFrame) -> list[str]:
    """A heading, and a table of the claims with what was found of each."""
    if claims.empty:
        is_baseline = run.data.tags.get("ablation") == BASELINE
        return ["**The baseline of the study.**" if is_baseline else "**Nothing is claimed.**"]
    rows = [
        f"| **{row.verdict}** | {in_cell(str(row.text), row.stratum)} | {row.condition}/{row.metric}"
        f" | {interval(row)} | {row.margin:.{DIGITS}g} |"
        for row in claims.itertuples()
    ]
    head = "| verdict | claim | metric | difference [95%] | margin |"
    return [f"**{in_short(claims)}**", "\n".join([head, "|---|---|---|---|---|", *rows])]


def in_cell(text: str, stratum: object) -> str:
    """A claim's text as a table's cell, with the part of a main effect that it is of."""
    part = f" ({stratum})" if isinstance(stratum, str) else ""
    return (text + part).replace("|", "\\|")


def interval(row: Any) -> str:
    """As in "+0.036 [0.020, 0.052]", and to what unless it is the baseline; a dash for none."""
    if math.isnan(row.difference):
        return "-"
    bounds = "" if math.isnan(row.low) else f" [{row.low:.{DIGITS}g}, {row.high:.{DIGITS}g}]"
    against = "" if row.against == BASELINE else f" to {row.against}"
    return f"{row.difference:+.{DIGITS}g}{bounds}{against}"


def metrics_table(metrics: Mapping[str, float], claims: pd.DataFrame) -> str:
    """The run's means: of what is claimed of it, and HEADLINES."""
    claimed = (claims["condition"] + "/" + claims["metric"]) if len(claims) else ()
    names = [
        name for name in dict.fromkeys([*claimed, *HEADLINES]) if f"{ANALYSIS}/{name}" in metrics
    ]
    rows = [f"| {name} | {metrics[f'{ANALYSIS}/{name}']:.{DIGITS}g} |" for name in names]
    return "\n".join(["| metric | mean of this run |", "|---|---|", *rows])
