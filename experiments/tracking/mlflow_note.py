"""What pages in MLflow begin with: a run's with the verdicts on its ablation, its metrics and
figures, a study's with all verdicts.

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

from dcvae.claims import BASELINE, STUDY
from dcvae.runs import ANALYSIS, CLAIMS, RunError
from dcvae.utils.errors import damage_in
from experiments.tracking.mlflow_study import VERDICT_TAG, description

HEADLINES = ("reconstruction/stoi", "reconstruction/pesq_wb", "reconstruction/mel_l1")
LONGEST, LAST_LINE = 8000, 60  # characters of a tag, and of what ends a cut one
DIGITS = 4
COLUMNS = {  # of claims.csv
    "system": str, "against": str, "text": str, "condition": str, "metric": str, "margin": float,
    "stratum": str, "family": str, "difference": float, "low": float, "high": float, "verdict": str,
}  # fmt: skip


def read_claims(path: Path) -> pd.DataFrame:
    """COLUMNS of a study's claims.csv; RunError where it lacks one."""
    with damage_in(path, RunError):
        return pd.read_csv(path, usecols=list(COLUMNS), dtype=COLUMNS)


def send_note(client: Any, run: Any, claims: pd.DataFrame, figures: Iterable[str]) -> bool:
    """Verdicts and description of a run unless it has them; whether that was sent.

    `claims` are the rows of claims.csv about its system, `figures` paths of artifacts.
    """
    tags = {VERDICT_TAG: in_short(claims)} if len(claims) else {}
    return set_tags(client, run, tags, note(run, claims, figures))


def send_study_note(client: Any, parent: Any, claims: pd.DataFrame) -> bool:
    """The verdicts of a study as the description of a parent run; whether that was sent.

    `claims` are the rows of claims.csv about the systems of its children.
    """
    return not claims.empty and set_tags(client, parent, {}, study_note(claims))


def set_tags(client: Any, run: Any, tags: Mapping[str, str], text: str) -> bool:
    """Tags and a description, as far as the run has others; whether there was any to be sent."""
    from mlflow.entities import RunTag

    known = run.data.tags
    new = {name: value for name, value in tags.items() if known.get(name) != value}
    new |= description(known, text)
    if new:
        entries = [RunTag(name, value) for name, value in new.items()]
        client.log_batch(run.info.run_id, tags=entries)
    return bool(new)


def study_note(claims: pd.DataFrame) -> str:
    """How many claims have which verdict, and a list of those that were measured, as far as there
    is room for it.
    """
    measured = claims["stratum"].isna() & claims["difference"].notna()
    rows = list(claims[measured].itertuples())
    text = f"**{in_short(claims)}**\n"
    for number, row in enumerate(rows):
        kind = "" if row.family == STUDY else "exploratory: "
        line = verdict_line(row, f"{kind}`{row.system}` ")
        if len(text) + len(line) > LONGEST - LAST_LINE:
            return f"{text}\nand {len(rows) - number} more in `{ANALYSIS}/{CLAIMS}`"
        text += f"\n{line}"
    return text


def in_short(claims: pd.DataFrame) -> str:
    """As in "supported", or "2 supported, 1 undecided"; parts of a main effect do not count."""
    found = Counter(claims.loc[claims["stratum"].isna(), "verdict"])
    if len(found) == 1:
        return str(next(iter(found)))
    return ", ".join(f"{count} {verdict}" for verdict, count in found.most_common())


def note(run: Any, claims: pd.DataFrame, figures: Iterable[str]) -> str:
    """The description in Markdown, with as many figures as there is room for.

    MLflow shows 100 pixels of it until "Show more" is clicked, so the verdicts are its first lines.
    """
    text = "\n\n".join([verdicts(run, claims), means(run.data.metrics, claims)])
    for path in figures:
        # the page's address ends before the "#", so that this is the server's own
        address = urlencode({"path": path, "run_uuid": run.info.run_id})
        line = f"\n\n![{path}](get-artifact?{address})"
        if len(text) + len(line) <= LONGEST:
            text += line
    return text[:LONGEST]


def verdicts(run: Any, claims: pd.DataFrame) -> str:
    """A list of the claims with what was found of each."""
    if claims.empty:
        is_baseline = run.data.tags.get("ablation") == BASELINE
        return "**The baseline of the study**" if is_baseline else "**Nothing is claimed**"
    return "\n".join(map(verdict_line, claims.itertuples()))


def verdict_line(row: Any, system: str = "") -> str:
    """A row of claims.csv as an entry of a list."""
    return f"- **{row.verdict}** {system}`{row.condition}/{row.metric}`{found(row)}: {row.text}"


def found(row: Any) -> str:
    """As in " +0.036 [0.020, 0.052] to baseline, margin 0.01"; empty where nothing was measured."""
    if math.isnan(row.difference):
        return ""
    said = f" {row.difference:+.{DIGITS}g}"
    if not math.isnan(row.low):
        said += f" [{row.low:.{DIGITS}g}, {row.high:.{DIGITS}g}]"
    part = f", {row.stratum}" if isinstance(row.stratum, str) else ""
    return f"{said} to {row.against}, margin {row.margin:.{DIGITS}g}{part}"


def means(metrics: Mapping[str, float], claims: pd.DataFrame) -> str:
    """A line with the run's means: of what is claimed of it, and HEADLINES."""
    claimed = claims["condition"] + "/" + claims["metric"]
    names = dict.fromkeys([*claimed, *HEADLINES])
    there = [name for name in names if f"{ANALYSIS}/{name}" in metrics]
    return ", ".join(f"`{name}` {metrics[f'{ANALYSIS}/{name}']:.{DIGITS}g}" for name in there)
