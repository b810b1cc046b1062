"""Addresses of stores as they may be shown, and what an error may say of them."""

import pytest

from experiments.tracking.address import public_address, without_secrets


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://host:5000", "http://host:5000"),
        ("https://host/path", "https://host/path"),
        ("http://[::1]:5000", "http://[::1]:5000"),
        ("http://me:secret@host:5000/x", "http://host:5000/x"),
        ("https://a-token@host", "https://host"),
        ("https://host/x?password=secret", "https://host/x"),
        ("https://host/x?password=se@cret", "***"),
        ("postgresql://me:se/cret@host/db", "***"),
        ("postgresql://me:se@cret@host/db", "postgresql://host/db"),
        ("postgresql://me:se?cret@host/db", "***"),
        ("postgresql://me:se#cret", "***"),
        ("http://[host", "***"),
        ("sqlite:///mlflow.db", "sqlite:///mlflow.db"),
        ("sqlite:////home/me@work/mlflow.db", "sqlite:////home/me@work/mlflow.db"),
        ("me:secret@host/db", "***"),
        ("./mlruns", "./mlruns"),
    ],
)
def test_an_address_is_shown_without_its_secrets(uri, shown):
    assert public_address(uri) == shown


def test_an_error_says_nothing_that_the_address_hides():
    uri = "postgresql://me:se/cr%21t@host/db?sslpassword=other"
    told = f"cannot connect to {uri}: user me, password se/cr!t, other; Failed to parse: me:se"
    shown = without_secrets(told, uri)
    assert "cannot connect to ***: user ***" in shown
    for secret in ("cr%21t", "cr!t", "other", " me", ":se"):
        assert secret not in shown
    assert without_secrets("http://host:5 fails", "http://host:5") == "http://host:5 fails"
