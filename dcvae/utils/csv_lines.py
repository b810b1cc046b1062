"""Rows of CSV that Python's reader and every other give back as they were."""

import csv
import io
from collections.abc import Iterable
from typing import Any


def csv_line(values: Iterable[Any]) -> str:
    """One row with its line feed; a carriage return within is quoted as a line feed is.

    (Of the two, csv.writer quotes what is in its line's own end.)
    """
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow(values)
    return buffer.getvalue().removesuffix("\r\n") + "\n"
