"""A run folder's copy in MLflow: the folder is the truth, and the store gets what it lacks."""

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

from dcvae.data.provenance import size_folder
from dcvae.runs import METRICS, SYSTEM_METRICS, Run, require_record, write_mlflow
from dcvae.utils.files import is_own_file
from dcvae.utils.jsonl import RowReader
from experiments.record import epoch, flatten
from experiments.tracking.address import public_address, recorded_store
from experiments.tracking.mlflow_client import check_artifacts, open_store
from experiments.tracking.mlflow_run import Identity, MLflowRun, find_run
from experiments.tracking.mlflow_study import CLAIMED_TAG, Study

NEEDED = ("ablation", "size", "seed", "status", "config", "corpus", "manifest", "started")
LOGS = (METRICS, SYSTEM_METRICS)
TAGS = ("ablation", "size", "seed", "commit")
EXPERIMENT = "dcvae"  # of a run that was trained without MLflow
# what run.json says of the end, or of MLflow itself: params stay as they are
NO_PARAMS = {
    "config", "mlflow", "status", "finished", "best_step", "train_seconds", "speech_seconds",
    "speech_per_second", "speech_per_second_at_end",
}  # fmt: skip
KEY_DIGITS = 12


class MlflowSync:
    """Brings one run folder's copy in one store up to date, as often as it is asked to.

    After a failure it asks the store anew what it has, so that it does not matter what was lost.
    """

    def __init__(self, run_dir: Path, uri: str, patience: float | None = None) -> None:
        """`patience` is how many seconds each answer may take, if they are not to be endless."""
        self.run_dir, self.uri, self.patience = run_dir, uri, patience
        self.run: MLflowRun | None = None
        self.readers: list[RowReader] = []

    def bring_up_to_date(self, status: str) -> Counter[str]:
        """Send what the store lacks, and count it; any Exception of a store, a server or a disk.

        `status` is MLflow's word for what has become of the run.
        """
        sent: Counter[str] = Counter()
        try:
            run = self.run or self.attach(sent)
            for reader in self.readers:
                if is_own_file(reader.path, self.run_dir):
                    sent["rows"] += run.send_rows(reader.read())
            record = require_record(self.run_dir)
            ended = record.get("finished")
            sent["status"] += run.send_status(status, epoch(ended) if ended else None)
            sent["files"] += run.send_files(self.run_dir / "validation")
            if status == "FINISHED":
                sent["files"] += run.send_files(self.run_dir / "last")
                best = self.run_dir / "best"
                if best.is_dir() and not best.is_symlink():
                    step = record.get("best_step") or 0
                    sent["model"] += run.send_model(best, step)
                sent["analysis"] += run.send_analysis(Run(self.run_dir, record))
        except Exception:
            self.run = None
            raise
        return +sent

    def attach(self, sent: Counter[str]) -> MLflowRun:
        """Find the run or make it, note its id in run.json, and send what stays as it is."""
        record = require_record(self.run_dir, *NEEDED)
        identity = identify(self.run_dir, record)
        client = open_store(self.uri, self.patience)
        address = public_address(self.uri)
        recorded = recorded_store(record.get("mlflow"))
        run_id = recorded[1] if recorded and recorded[0] == address else None
        found, is_new = find_run(client, identity, run_id)
        sent["run"] += is_new
        if found.info.run_id != run_id:
            noted = {"tracking_uri": address, "run_id": found.info.run_id}
            write_mlflow(self.run_dir, noted)
        check_artifacts(self.uri, found.info.artifact_uri)
        run = MLflowRun(client, found, identity.started)
        if identity.study is not None:
            sent["tags"] += run.join(identity.study)
        sent["params"] += run.send_params(params(record))
        sent["tags"] += run.send_tags(tags(record))
        sent["dataset"] += run.send_dataset(Path(record["manifest"]), record["corpus"])
        self.run, self.readers = run, [RowReader(self.run_dir / name) for name in LOGS]
        return run


def identify(run_dir: Path, record: dict[str, Any]) -> Identity:
    """What the run is called, and its study where the folder lies as training made it."""
    place = size_folder(record["size"], record.get("budget"))
    labels = (place, record["ablation"], f"seed{record['seed']}")
    folder = run_dir.absolute()
    key = hashlib.sha256(f"{folder.resolve()} {record['started']}".encode(errors="replace"))
    mlflow = record["config"].get("mlflow") or {}
    laid_out = folder.parts[-3:] == labels
    return Identity(
        key=f"{'-'.join(labels)}-{key.hexdigest()[:KEY_DIGITS]}",
        name="/".join(labels),
        experiment=mlflow.get("experiment", EXPERIMENT),
        started=epoch(record["started"]),
        study=Study(place, folder.parents[2].resolve()) if laid_out else None,
    )


def params(record: dict[str, Any]) -> dict[str, Any]:
    """What run.json says from the start on."""
    facts = {name: value for name, value in record.items() if name not in NO_PARAMS}
    return {**flatten(record["config"]), **flatten(facts)}


def tags(record: dict[str, Any]) -> dict[str, str]:
    """What tells runs apart."""
    found = {name: str(record.get(name)) for name in TAGS}
    found["corpus"] = str(record["corpus"].get("name"))
    if claims := record.get("claims"):
        for tag, name in (("claim", "text"), (CLAIMED_TAG, "metric")):
            said = [claim.get(name) for claim in claims if isinstance(claim, dict)]
            found[tag] = " ".join(map(str, said))
    return found
