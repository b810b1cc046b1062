"""What the entries of the JSON files of runs and studies may be: they can be anyone's, or of a
later version.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dcvae.utils.entries import (
    LIST,
    MAPPING,
    NUMBER,
    SWITCH,
    TEXT,
    WHOLE,
    Types,
    check_entries,
    shortened,
)

RUN_TYPES: Types = {  # run.json
    "ablation": TEXT,
    "size": TEXT,
    "seed": WHOLE,
    "budget": WHOLE,
    "commit": TEXT,
    "corpus": MAPPING,
    "status": TEXT,
    "config": MAPPING,
    "claims": LIST,
    "manifest": TEXT,
    "started": TEXT,
    "finished": TEXT,
    "mlflow": MAPPING,
    "steps": WHOLE,
    "best_step": WHOLE,
    "parameters": NUMBER,
    "floats_per_second": NUMBER,
    "free_floats_per_second": NUMBER,
    "latent_frames_per_second": NUMBER,
    "train_seconds": NUMBER,
    "speech_seconds": NUMBER,
    "config.model": MAPPING,
    "config.vocoder": MAPPING,
    "config.data": MAPPING,
    "config.loader": MAPPING,
    "config.trainer": MAPPING,
    "config.mlflow": MAPPING,
    "corpus.name": TEXT,
    "mlflow.tracking_uri": TEXT,
    "mlflow.run_id": TEXT,
}
SUMMARY_TYPES: Types = {  # analysis.json
    "clips": LIST,
    "clips[]": TEXT,
    "evaluators": MAPPING,
    "evaluators.modelability": MAPPING,
    "evaluators.modelability.train_seconds_per_step": NUMBER,
    "files": MAPPING,
    "manifest": TEXT,
    "versions": MAPPING,
    "vocoder": MAPPING,
}
STATISTICS_TYPES: Types = {  # statistics.json
    "phases": LIST,
    "phases[]": TEXT,
    "factors": LIST,
    "factors[]": TEXT,
    "family": LIST,
    "family[]": TEXT,
    "study": TEXT,
    "alpha": NUMBER,
    "seeds": LIST,
    "seeds[]": WHOLE,
    "steps": WHOLE,  # of the size's own training
    "open": LIST,
    "open[]": TEXT,
    "verdicts": MAPPING,
    "files": MAPPING,
    "tables": MAPPING,
    "left_out": LIST,
    "left_out[]": TEXT,
    "looks": LIST,
    "looks[]": MAPPING,
    "looks[].seeds": WHOLE,
    "looks[].alpha": NUMBER,
    "looks[].decided": MAPPING,
    "max_seeds": WHOLE,
}
PLAN_TYPES: Types = {  # study.json
    "name": TEXT,
    "claims": LIST,
    "claims[]": MAPPING,
    **dict.fromkeys(
        (
            f"claims[].{name}"
            for name in (
                "ablation", "text", "condition", "metric", "direction", "component", "against",
            )
        ),
        TEXT,
    ),
    "claims[].margin": NUMBER,
    "claims[].margin_is_relative": SWITCH,
    "family": LIST,
    "family[]": TEXT,
    "factors": LIST,
    "factors[]": TEXT,
    "runs": LIST,
    "runs[]": MAPPING,
    "runs[].ablation": TEXT,
    "runs[].seed": WHOLE,
    "runs[].budget": WHOLE,
    "runs[].folder": TEXT,
    "runs[].parts": LIST,
    "runs[].parts[]": TEXT,
    "runs[].phase": TEXT,
    "max_seeds": WHOLE,
}  # fmt: skip
MOMENTS = ("started", "finished")
REQUIRED = ("ablation", "size", "seed")


def check_record(record: Mapping[str, Any]) -> None:
    """ValueError that names the entry which is of another type than any version writes."""
    check_entries(record, RUN_TYPES)
    for name in MOMENTS:
        if record.get(name) is not None:
            try:
                datetime.fromisoformat(record[name])
            except ValueError:
                raise ValueError(f"its {name} is {shortened(record[name])}, no time") from None
