"""Rows as CSV, without what a spreadsheet would take for a formula."""

import csv
import io
from collections.abc import Sequence
from typing import Any

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a text begins with that a spreadsheet computes."""


def csv_text(rows: Sequence[dict[str, Any]]) -> str:
    """Returns rows of the same columns as CSV."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([_harmless(name) for name in rows[0]] if rows else [])
    writer.writerows([_harmless(value) for value in row.values()] for row in rows)
    return file.getvalue()


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
