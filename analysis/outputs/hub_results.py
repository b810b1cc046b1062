"""The headline metrics as the Hugging Face Hub has evaluation results beside a model.

Source of the fields: the hub's documentation (huggingface.co/docs/hub/eval-results), as
`huggingface_hub.EvalResultEntry` holds them.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from dcvae.data.provenance import Evaluation, Score
from dcvae.models.model_card import eval_results, span
from dcvae.runs import Run

Facts = Mapping[str, Any]  # analysis.json, or a part of it


def hub_results(run: Run, facts: Facts, evaluation: Evaluation) -> str:
    """YAML with an entry for each finite headline metric, a task of the corpus by its name.

    They are the results that the model card's own head has.
    """
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    scores = {one.metric: one for one in evaluation.scores}
    entries = [
        EvalResultEntry(
            dataset_id=one.dataset_type,
            task_id=one.metric_type,
            value=one.metric_value,
            notes=notes(scores[one.metric_type], facts, evaluation.split),
        )
        for one in eval_results(corpus_of(run, facts), evaluation)
    ]
    said = eval_result_entries_to_yaml(entries)
    text: str = yaml.safe_dump(said, sort_keys=False, allow_unicode=True, width=1000)
    return text


def notes(one: Score, facts: Facts, split: str) -> str:
    """What an entry says beside its value."""
    interval = f"95% interval {span(one.low, one.high)}, " if math.isfinite(one.low) else ""
    return (
        f"{one.label}; split {split}, {interval}{one.n_scored} clips, {one.n_failed} failed;"
        f" manifest SHA-256 {facts['manifest_sha256']}"
    )


def corpus_of(run: Run, facts: Facts) -> str:
    """The corpus that the run names with the manifest it was scored on, else that file's stem."""
    manifest = manifest_name(facts)
    corpus = run.record.get("corpus") or {}
    return str(corpus["name"]) if corpus.get("manifest") == manifest else Path(manifest).stem


def manifest_name(facts: Facts) -> str:
    return str(facts["manifest"]).rpartition(" ")[0]
