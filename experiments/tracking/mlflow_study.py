"""What a study's runs share in MLflow: an experiment that explains itself, and a parent run."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PARENT_TAG = "mlflow.parentRunId"
STUDY_TAG = "dcvae.study"  # of a parent, by which it is found again
NOTE_TAG = "mlflow.note.content"  # what MLflow's page shows as the description
WRITTEN_TAG = "dcvae.note.sha256"  # of the description as it was written here
CLAIMED_TAG = "claimed"  # of a child: the metrics that its claims are about, with blanks between
VERDICT_TAG = "verdict"  # of a child whose ablation claims something
NOTE = """\
**Ablations of a deep-compression speech autoencoder**

A parent run is a study: all runs of one size and number of steps in one runs folder. It trained
nothing itself, so it is FINISHED from the start. Its children are the trained models, one an
ablation and seed: the saved view that is called like the study groups them by ablation. Once they
are analysed, each child's page begins with the verdicts on its ablation, and the parent's with all
of the study. The parent's artifacts hold the study's tables: `analysis/statistics.json` (means,
intervals and differences from the baseline) and `analysis/claims.json` (what each ablation claims,
and the verdict).

Columns to compare among the children of one parent:

- tags `ablation`, `seed`, `verdict`, `claim`, `claimed` (metrics), `corpus`, `commit`
- `analysis/reconstruction/pesq_wb`, `.../stoi`, `.../mel_l1`: how well speech is reconstructed; \
`analysis/ceiling/...` is the vocoder's own limit
- `analysis/latents/...`: the geometry of the latents
- `analysis/latent_noise_...`: what noise in the latents costs
- `validation/reconstruction`: the loss on held-out clips while training
- `train/speech_per_second` (seconds of speech per second), `run/train_seconds`: what it took

The datasets column tells runs on other speech apart. Edit this text as you like: it is yours then.
"""


@dataclass(frozen=True)
class Study:
    """All runs of one size and one budget of steps below one folder, given as a whole path."""

    size: str  # as its folder is called: "tiny", or "tiny-350steps"
    runs_dir: Path

    @property
    def id(self) -> str:
        """The same for every run of the study: the size's folder and a hash of the whole path."""
        return f"{self.size}-{sha256(str(self.runs_dir))[:12]}"


def sha256(text: str) -> str:
    """In hexadecimal digits."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def find_experiment(client: Any, name: str) -> str:
    """The id of the experiment of that name, which is made where there is none."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return str(client.create_experiment(name))
        except MlflowException:
            found = client.get_experiment_by_name(name)  # made by another run in the meantime
            if found is None:
                raise
    return str(found.experiment_id)


def describe_experiment(client: Any, experiment_id: str) -> None:
    """Write NOTE as the experiment's description, unless it is in the user's words by now."""
    known = client.get_experiment(experiment_id).tags
    for name, value in description(known, NOTE).items():
        client.set_experiment_tag(experiment_id, name, value)


def description(known: Mapping[str, str], text: str) -> dict[str, str]:
    """The tags that make `text` the description beside the `known` ones; none where it is that,
    or is in the user's words.
    """
    there, written = known.get(NOTE_TAG), known.get(WRITTEN_TAG)
    is_theirs = bool(there or written) and sha256(there or "") != written
    if is_theirs or there == text:
        return {}
    return {NOTE_TAG: text, WRITTEN_TAG: sha256(text)}


def find_parent(client: Any, experiment_id: str, study: Study) -> str:
    """The id of the study's parent run, which is made where there is none.

    MLflow cannot make a run on condition, so runs that start together may each make one: all
    then take the eldest, and who made another one removes it.
    """
    if found := eldest_parent(client, experiment_id, study):
        return found
    made = client.create_run(
        experiment_id,
        run_name=study.size,
        tags={STUDY_TAG: study.id, "size": study.size, "runs_dir": str(study.runs_dir)},
    ).info.run_id
    client.set_terminated(made, "FINISHED")  # no process owns it that could end it
    parent = eldest_parent(client, experiment_id, study) or made
    if parent != made:
        client.delete_run(made)
    return str(parent)


def eldest_parent(client: Any, experiment_id: str, study: Study) -> str | None:
    """The id of the study's first parent run that was not deleted."""
    found = client.search_runs([experiment_id], f"tags.`{STUDY_TAG}` = '{study.id}'")
    runs = [(run.info.start_time, run.info.run_id) for run in found]
    return min(runs)[1] if runs else None
