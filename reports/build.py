"""python -m reports.build [RUNS]: write index.html from whatever is trained and analysed."""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from reports.collect import collect
from reports.page import render


def write(path: Path, text: str) -> None:
    """The file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, suffix=".part", delete=False
    ) as file:
        temporary = Path(file.name)
        try:
            file.write(text)
            file.close()
            temporary.chmod(0o644)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Build the page; a user's error is one line and exit status 2."""
    parser = argparse.ArgumentParser(prog="python -m reports.build", description=__doc__)
    parser.add_argument("runs", nargs="?", type=Path, default=Path("runs"), metavar="RUNS")
    parser.add_argument(
        "--out", type=Path, default=Path("reports/out"), help="folder (%(default)s)"
    )
    parser.add_argument("--size", help='which size of run; of several, "tiny" unless given')
    options = parser.parse_args(arguments)
    try:
        study = collect(options.runs, options.size)
        path = options.out / "index.html"
        write(path, render(study, date.today().isoformat()))
    except (ValueError, OSError) as error:
        if os.environ.get("DCVAE_DEBUG"):
            raise
        print(f"report: {' '.join(str(error).split())}", file=sys.stderr)
        raise SystemExit(2) from None
    for note in study.missing:
        print(f"report: {note}", file=sys.stderr)
    print(f"{path} ({path.stat().st_size / 1e6:.1f} MB, {len(study.runs)} runs)")


if __name__ == "__main__":
    main()
