"""A client that gives up what is not answered: a stand-in for MLflow's, whose calls wait."""

import threading

import pytest

from experiments.tracking.mlflow_client import PatientClient, SilentStoreError

PATIENCE = 0.1  # seconds


class Store:
    """Answers `quick` at once, fails in `wrong`, and never answers `slow`; takes any file."""

    tracking_uri = "http://store"

    def __init__(self):
        self.asked, self.never = [], threading.Event()

    def quick(self, value):
        self.asked.append(value)
        return value

    def wrong(self):
        raise KeyError("no such run")

    def slow(self):
        self.never.wait()

    def log_artifact(self, run_id, path, folder):
        self.never.wait(5 * PATIENCE)
        self.asked.append(folder)


@pytest.fixture
def store():
    made = Store()
    yield made
    made.never.set()


def test_an_answer_and_an_error_are_the_clients_own(store):
    client = PatientClient(lambda: store, "http://store", 60.0)
    assert client.quick(3) == 3
    assert client.tracking_uri == "http://store"
    with pytest.raises(KeyError, match="no such run"):
        client.wrong()


def test_after_a_silence_nothing_is_asked(store):
    client = PatientClient(lambda: store, "http://store", PATIENCE)
    for ask in (client.slow, lambda: client.quick(1)):
        with pytest.raises(SilentStoreError, match=r"does not answer within 0\.1 s"):
            ask()
    assert store.asked == []


def test_a_store_that_cannot_be_opened(store):
    with pytest.raises(SilentStoreError, match="does not answer"):
        PatientClient(store.slow, "http://store", PATIENCE)


def test_a_file_may_take_as_long_as_it_is(store, tmp_path):
    """100 MB: 100 seconds, of which half of one are needed."""
    with (tmp_path / "large").open("wb") as file:
        file.truncate(100_000_000)
    client = PatientClient(lambda: store, "http://store", PATIENCE)
    for path in (tmp_path / "large", tmp_path):
        client.log_artifact("run", str(path), "best")
    assert store.asked == ["best", "best"]
