"""The measurements as a table for other programs."""

import csv
from collections.abc import Sequence
from pathlib import Path

from clients.load_test.measurement import Measurement


def write_csv(measurements: Sequence[Measurement], file: Path) -> None:
    """Writes a line for each measurement and a column for each name of Measurement.row; a missing value is empty."""
    rows = [measurement.row() for measurement in measurements]
    with file.open("w", encoding="utf-8", newline="") as output:
        writer = csv.DictWriter(output, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
