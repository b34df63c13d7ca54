"""Predictions against measurements: of the set that ships with the product, or of any rows with measured columns.

The shipped measurements took part in the fit; their errors say that the product computes what was fitted. How far
predictions are off for something new is in `held_out`, which the fits recorded on models and chips left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import resources
from pathlib import Path

from advisor.errors import InputError
from advisor.prediction.files import read_header, read_rows, rows_of_text
from advisor.prediction.inputs import Row
from advisor.validation.choices import choices
from advisor.validation.comparison import MEASURED, compare, has_measurements
from advisor.validation.document import ValidationReport
from advisor.validation.recorded import held_out, promises, recorded_choices, reliability
from advisor.validation.sentences import KINDS, sentence

__all__ = ["KINDS", "ValidationReport", "sentence", "shipped_rows", "validate", "validate_file"]

SHIPPED_SOURCE = "validation_silicon.csv, shipped with advisor: PyPI aiconfigurator-core 0.12 (Apache-2.0), largely public InferenceMAX runs"
_SHIPPED_NOTE = (
    "These measurements took part in the fit: the errors say that the product computes what was fitted. The errors on "
    "what a fit had not seen are listed in the table `Held out`."
)
_OWN_NOTE = "Measurements that may or may not have taken part in the fit; those of your own did not."
_MOST_ROWS = 300_000


def validate(rows: Iterable[Row] | None = None, *, source: str = "rows given") -> ValidationReport:
    """Return predictions against measurements.

    Args:
        rows: Mappings with the inputs of a prediction (see `advisor.prediction`) and measured values under the
            names of public tables; None for the measurements that ship with the product.
        source: Where the rows come from, in words.

    Raises:
        InputError: There are no rows, too many, or none with a measured column.

    Example:
        >>> report = validate()
        >>> [row.measurements for row in report.errors if row.by == "all" and row.target == "tpot_ms"]
        [1743]
    """
    given = list(shipped_rows() if rows is None else rows)
    if not given or len(given) > _MOST_ROWS:
        raise InputError(f"{source}: got {len(given):,} rows; expected 1 to {_MOST_ROWS:,}")
    if not any(has_measurements(tuple(row)) for row in given[:1000]):
        raise InputError(
            f"{source}: no column is a measurement; expected one such as {', '.join([*MEASURED][:4])}"
        )
    comparisons, found, skipped, compared = compare(given)
    return ValidationReport(
        source=SHIPPED_SOURCE if rows is None else source,
        note=_SHIPPED_NOTE if rows is None else _OWN_NOTE,
        rows=len(given),
        compared=compared,
        errors=tuple(row for comparison in comparisons for row in comparison.errors()),
        skipped=tuple(skipped),
        held_out=tuple(held_out()),
        choices=(*choices(given, found), *recorded_choices()),
        promises=tuple(promises()),
        reliability=tuple(reliability()),
    )


def validate_file(path: Path | str) -> ValidationReport:
    """Return predictions against the measurements of a CSV file.

    Raises:
        InputError: The file is missing, is not CSV, or has no measured column.
    """
    path = Path(path)
    if not has_measurements(read_header(path)):
        raise InputError(
            f"'{path}' line 1: no column is a measurement; expected one such as {', '.join([*MEASURED][:4])}"
        )
    return validate(_bounded(path), source=path.name)


def _bounded(path: Path) -> list[Row]:
    rows: list[Row] = []
    for row in read_rows(path):
        rows.append(row)
        if len(rows) > _MOST_ROWS:
            break
    return rows


@cache
def shipped_rows() -> tuple[Row, ...]:
    """Return the measurements that ship with the product."""
    text = resources.files("advisor").joinpath("data/validation_silicon.csv").read_text(encoding="utf-8")
    return tuple(rows_of_text(text))
