"""Which store a run goes to, and how its address is shown: without what it keeps secret.

The environment, or the command line, says where things go: a run folder may be anyone's, and
the client sends MLFLOW_TRACKING_TOKEN to whatever address it is given.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from dcvae.runs import RunError

SQLITE = "sqlite:///"
DEFAULT_URI = "sqlite:///mlflow.db"
URI_VARIABLE = "MLFLOW_TRACKING_URI"
HIDDEN = "***"


def public_address(uri: str) -> str:
    """A store's address as it may be shown and kept: without user, password and query.

    Nothing is shown where an "@" or a port that is no number leaves open what is the password.
    """
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
    except ValueError:
        return HIDDEN
    is_file = not parts.netloc and (parts.scheme in ("", "file") or uri.startswith(SQLITE))
    if is_file:  # no one is asked for a password
        return uri.partition("?")[0]
    if "@" in parts.path + parts.query + parts.fragment or not host:
        return HIDDEN
    place = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{place}{f':{port}' if port else ''}{parts.path}"


def without_secrets(text: str, uri: str) -> str:
    """A text, such as an error's, without the pieces of the address that are not public."""
    public = public_address(uri)
    pieces, kept = (set(re.split(r"[:/@?#&=]+", one)) for one in (uri, public))
    secrets = (pieces | set(map(unquote, pieces))) - kept - {""}
    text = text.replace(uri, public)
    for secret in sorted(secrets, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", HIDDEN, text)
    return text


def recorded_store(known: Any) -> tuple[str, str] | None:
    """Address, without secrets, and run id that a run.json's "mlflow" holds; None of none."""
    if not isinstance(known, dict):
        return None
    uri, run_id = known.get("tracking_uri"), known.get("run_id")
    if not isinstance(uri, str) or not isinstance(run_id, str):
        return None
    return public_address(uri), run_id


@dataclass
class Store:
    """The store that folders are sent to."""

    uri: str
    named: bool  # by the environment or the command line

    @classmethod
    def chosen(cls, uri: str | None = None) -> Self:
        """That of the command line, else MLFLOW_TRACKING_URI's, else the one in this folder."""
        named = uri or os.environ.get(URI_VARIABLE)
        return cls(named or DEFAULT_URI, named=bool(named))

    @property
    def address(self) -> str:
        """As it may be shown."""
        return public_address(self.uri)

    def check(self, recorded: str, folder: Path) -> None:
        """RunError where `folder` was tracked elsewhere and nobody named a store, or in a file
        that is gone, before MLflow begins one.
        """
        if recorded != self.address and not self.named:
            raise RunError(
                f"{folder} was tracked in {recorded}: nothing is sent unless {URI_VARIABLE} or"
                " sync --tracking-uri names the store"
            )
        path = Path(self.address.removeprefix(SQLITE))
        if recorded == self.address and self.uri.startswith(SQLITE) and not path.is_file():
            raise RunError(
                f"{folder} was tracked in {path}, which is not here: start in the folder of the"
                f" training, or set {URI_VARIABLE}"
            )
