"""Reads rows from a CSV file and writes them with predictions, a bounded number at a time."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from advisor.calibration import Calibration
from advisor.errors import FileExists, InputError
from advisor.lines import bounded_lines
from advisor.prediction.inputs import Row
from advisor.prediction.item_sizes import known_sizes
from advisor.prediction.rows import header, predict_stream
from advisor.whole_file import whole_file


@dataclass(frozen=True, slots=True)
class Count:
    """How many rows of a file got a prediction."""

    rows: int
    predicted: int
    reasons: tuple[tuple[str, int], ...]
    """Why others got none, and how many each, the most frequent first."""


def predict_file(
    source: Path | str, output: Path | str, *, force: bool = False, calibration: Calibration | None = None
) -> Count:
    """Write a CSV file of predictions for a CSV file of rows.

    Args:
        source: CSV with a header, in UTF-8.
        output: File to write: the columns of `source`, predictions with intervals, `basis` and `reason`.
        force: Whether to replace `output` if it is there.
        calibration: What the user measured; rows to which it applies move and are surer.

    Raises:
        InputError: `source` is missing or is not such a file.
        FileExists: `output` is there and `force` is false.
    """
    source, output = Path(source), Path(output)
    if output.exists() and not force:
        raise FileExists.at(output)
    if not output.resolve().parent.is_dir():
        raise InputError(f"there is no folder '{output.parent}' to write '{output.name}' in")
    with whole_file(output, force=force) as file:
        return write_predictions(source, file, calibration=calibration)


def write_predictions(source: Path, file: TextIO, *, calibration: Calibration | None = None) -> Count:
    """Write the rows of a CSV file with their predictions to an open file."""
    columns = read_header(source)
    names, kinds = header(columns)
    sizes = known_sizes(read_rows(source)) if {"images", "batching"} & set(kinds) else None
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(names)
    rows, good, reasons = 0, 0, dict[str, int]()
    for row, found in predict_stream(read_rows(source), sizes=sizes, kinds=kinds, calibration=calibration):
        writer.writerow([row.get(name) for name in names])
        rows, good = rows + 1, good + (not found.reason)
        if found.reason and (found.reason in reasons or len(reasons) < 1000):
            reasons[found.reason] = reasons.get(found.reason, 0) + 1
    return Count(rows, good, tuple(sorted(reasons.items(), key=lambda pair: -pair[1])))


def read_header(source: Path) -> list[str]:
    """Return the names of the columns of a CSV file.

    Raises:
        InputError: The file is missing, empty, not UTF-8, or names a column twice.
    """
    with _opened(source) as file:
        columns = next(csv.reader(bounded_lines(file, source.name)), None)
    if not columns or not any(name.strip() for name in columns):
        raise InputError(f"'{source}' is empty; expected a CSV file whose first line names the columns")
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise InputError(f"'{source}' line 1: the column '{twice[0][:40]}' is there twice; keep one")
    return columns


def read_rows(source: Path) -> Iterator[Row]:
    """Yield the rows of a CSV file.

    Raises:
        InputError: The file is missing or not CSV in UTF-8.
    """
    with _opened(source) as file:
        reader = csv.DictReader(bounded_lines(file, source.name), restval="")
        for row in reader:
            row.pop(None, None)  # cells beyond the header
            yield row


@contextmanager
def _opened(source: Path) -> Iterator[TextIO]:
    try:
        with source.open(encoding="utf-8-sig", newline="") as file:
            yield file
    except FileNotFoundError:
        raise InputError.missing_file(source) from None
    except IsADirectoryError:
        raise InputError.unreadable_file(source, "it is a folder; name the file in it") from None
    except UnicodeDecodeError:
        raise InputError.unreadable_file(source, "it is not UTF-8 text; save it as CSV in UTF-8") from None
    except csv.Error as error:
        raise InputError.unreadable_file(source, f"this is not CSV: {error}") from None
    except (OSError, ValueError) as error:
        raise InputError.unreadable_file(source, str(error)) from None


def rows_of_text(text: str) -> Iterator[Row]:
    r"""Yield the rows of CSV text.

    Example:
        >>> list(rows_of_text("id,tp\n7,8\n"))
        [{'id': '7', 'tp': '8'}]
    """
    yield from csv.DictReader(text.splitlines())
