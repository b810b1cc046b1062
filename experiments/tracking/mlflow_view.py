"""A study's runs at a glance: a saved view of MLflow's page of runs, and the view's address.

MLflow 3.17 keeps a saved view as a tag of the experiment, mlflow.sharedViewState.KEY: JSON with a
name, two times in milliseconds and the page's state, itself JSON. The address names KEY. Where the
page saved a view over, its times differ, and it is the user's.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dcvae.runs import ANALYSIS
from experiments.tracking.mlflow_study import CLAIMED_TAG, PARENT_TAG, STUDY_TAG, VERDICT_TAG

VIEW_TAG = "mlflow.sharedViewState."
WORKFLOW = "workflowType=machine_learning"  # which of MLflow's two menus is beside the page
LOSS = "validation/reconstruction"  # which runs have that nobody has analysed
BY_NAME = "tags.`mlflow.runName`"  # SIZE/ABLATION/seedN
WIDTHS = {  # pixels; the first two are on every page of runs
    "attributes.`Run Name`": 220,
    "runDateAndNestInfo": 80,  # when a run was made, and how it ended
    "tags.`ablation`": 120,
    "tags.`seed`": 60,
    f"tags.`{VERDICT_TAG}`": 210,
}
METRIC_WIDTH = 40, 7  # of a column's head: around it, and a letter


def save_views(client: Any) -> list[tuple[str, str]]:
    """Save the view of every study of the store; names and places on MLflow's pages, the latest
    study first.
    """
    experiments = [one.experiment_id for one in client.search_experiments()]
    parents = client.search_runs(
        experiments, f"tags.`{STUDY_TAG}` LIKE '%'", order_by=["attributes.start_time DESC"]
    )
    return [(view_name(parent), save_view(client, parent)) for parent in parents]


def save_view(client: Any, parent: Any) -> str:
    """Save the view of the study with this parent run unless it is there; its place."""
    experiment, key = parent.info.experiment_id, parent.info.run_id
    chosen = f"tags.`{PARENT_TAG}` = '{key}'"
    state = json.dumps(page_state(chosen, client.search_runs([experiment], chosen)))
    made = parent.info.start_time
    value = {"name": view_name(parent), "createdAt": made, "updatedAt": made, "state": state}
    there = client.get_experiment(experiment).tags.get(f"{VIEW_TAG}{key}")
    known = json.loads(there) if there else value | {"state": None}
    is_theirs = known["updatedAt"] != known["createdAt"]
    if known != value and not is_theirs:
        client.set_experiment_tag(experiment, f"{VIEW_TAG}{key}", json.dumps(value))
    return f"#/experiments/{experiment}/runs?viewStateShareKey={key}&{WORKFLOW}"


def view_name(parent: Any) -> str:
    """RUNS/SIZE of a study's parent run, as in "runs/demo"; a user's own parent has SIZE alone."""
    place = Path(parent.data.tags.get("runs_dir", ""), parent.info.run_name)
    return "/".join(place.parts[-2:])


def page_state(chosen: str, runs: Sequence[Any]) -> dict[str, Any]:
    """The state of a page of the runs that the filter `chosen` finds, grouped by ablation."""
    around, letter = METRIC_WIDTH
    columns = {f"metrics.`{name}`": around + letter * len(name) for name in metrics(runs)}
    widths = WIDTHS | columns
    return {
        "searchFilter": chosen,
        "orderByKey": BY_NAME,
        "orderByAsc": True,
        "selectedColumns": [name for name in widths if name.startswith(("tags.", "metrics."))],
        "columnOrder": list(widths),
        "columnWidths": widths,
        "groupBy": {
            "aggregateFunction": "average",
            "groupByKeys": [{"mode": "tag", "groupByData": "ablation"}],
        },
        "groupsExpanded": {},  # all of them are
    }


def metrics(runs: Sequence[Any]) -> list[str]:
    """What the runs' claims are about as far as some run has it, the most claimed first."""
    claimed = [name for run in runs for name in run.data.tags.get(CLAIMED_TAG, "").split()]
    names = sorted(set(claimed), key=lambda name: (-claimed.count(name), name))
    there = {name for run in runs for name in run.data.metrics}
    return [name for name in [*(f"{ANALYSIS}/{one}" for one in names), LOSS] if name in there]
