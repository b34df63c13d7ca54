"""Reads the catalogue's CSV tables, the embedded ones and a user's, into plain rows."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path

from advisor.errors import CatalogError, InputError, suggestion

DATA = Path(__file__).resolve().parent.parent / "data"
TABLES = ("accelerators", "instances", "carbon", "commitments", "storage")
_LARGEST_BYTES = 10_000_000
_DATES = ("price_date", "date", "source_date")
_PROVENANCE = frozenset((*_DATES, "spot_date", "source", "pue_source", "confidence", "method"))
"""Columns that speak of the other values of their own line, and so never change those of another."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a user gave a value, and what the user says about it."""

    where: str
    source: str = ""
    date: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table as text, and where each changed value was given."""

    table: str
    line: int
    values: Mapping[str, str]
    origins: Mapping[str, Origin] = field(default_factory=dict)

    def text(self, column: str) -> str:
        """Return the text of a column; empty when the table has no such column."""
        return self.values.get(column, "")

    def required(self, column: str) -> str:
        """Return the text of a column that must not be empty.

        Raises:
            CatalogError: The value is missing.
        """
        text = self.text(column)
        if not text:
            raise self.problem(f"'{column}' is empty; give a value")
        return text

    def number(self, column: str, *, minimum: float = 0.0, may_be_minimum: bool = False) -> float | None:
        """Return the number in a column, or `None` when it is empty.

        Args:
            column: Name of the column.
            minimum: Bound below.
            may_be_minimum: Whether the bound itself is allowed.

        Raises:
            CatalogError: The text is not a finite number above the bound.
        """
        text = self.values.get(column, "")
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            raise self.problem(
                f"'{column}' is '{text}'; expected a plain number such as 2.5", column
            ) from None
        if not isfinite(value) or value < minimum or (value == minimum and not may_be_minimum):
            bound = "at least" if may_be_minimum else "more than"
            raise self.problem(f"'{column}' is {text}; expected a finite number {bound} {minimum:g}", column)
        return value

    def required_number(self, column: str, *, minimum: float = 0.0, may_be_minimum: bool = False) -> float:
        """Return the number in a column that must not be empty.

        Raises:
            CatalogError: The value is missing, or is no number above the bound.
        """
        self.required(column)
        value = self.number(column, minimum=minimum, may_be_minimum=may_be_minimum)
        return 0.0 if value is None else value

    def count(self, column: str, default: int | None = None) -> int:
        """Return the whole number, at least 1, in a column.

        Raises:
            CatalogError: The value is missing without a default, or is not a whole number.
        """
        if default is not None and not self.text(column):
            return default
        value = self.required_number(column)
        if value != int(value):
            raise self.problem(f"'{column}' is {value:g}; expected a whole number", column)
        return int(value)

    def cited(self, column: str, source_column: str = "source") -> str:
        """Return the source of a column's value: the user's words or file where a user gave it."""
        origin = self.origins.get(column)
        return self.text(source_column) if origin is None else origin.source or origin.where

    def problem(self, text: str, column: str = "") -> CatalogError:
        """Return the error that says what is wrong with this line, or with the user's line that set `column`."""
        origin = self.origins.get(column)
        if origin is not None:
            return CatalogError(f"{origin.where}: {text}")
        return CatalogError.bad_row(self.table, self.line, text)


def embedded_rows(table: str) -> tuple[Row, ...]:
    """Return the rows of one of the tables that come with the product, in file order."""
    with (DATA / f"{table}.csv").open(encoding="utf-8", newline="") as stream:
        lines = csv.reader(stream)
        header = next(lines)
        return tuple(
            Row(f"{table}.csv", number, dict(zip(header, line, strict=True)))
            for number, line in enumerate(lines, start=2)
        )


def embedded_columns(table: str) -> tuple[str, ...]:
    """Return the column names of one of the tables that come with the product."""
    with (DATA / f"{table}.csv").open(encoding="utf-8", newline="") as stream:
        return tuple(next(csv.reader(stream)))


def user_rows(path: Path) -> tuple[str, tuple[Row, ...]]:
    """Return which table a user's CSV file changes, and its rows.

    The columns say which: `g_co2e_per_kwh` is carbon, `discount_ratio` is commitments, `usd_per_unit` is storage, `id`
    is accelerators, and `provider` or `name` is instances.

    Raises:
        InputError: The file is missing, too large or not UTF-8 text.
        CatalogError: A column is unknown, a line has too many values, or there is no line at all.
    """
    header, lines = parsed(path)
    table = _table_of(path.name, header)
    known = embedded_columns(table)
    for column in header:
        if column not in known:
            near = suggestion(column, known)
            raise CatalogError.bad_row(
                path.name, 1, f"no column '{column}' in {table}{near} (known: {', '.join(known)})"
            )
    rows = []
    for number, line in lines:
        if len(line) != len(header):
            raise CatalogError.bad_row(
                path.name, number, f"{len(line)} values; expected {len(header)}, as in line 1"
            )
        rows.append(Row(path.name, number, {c: v.strip() for c, v in zip(header, line, strict=True)}))
    if not rows:
        raise CatalogError.bad_row(path.name, 1, "no line follows the column names; add at least one")
    return table, tuple(rows)


def overlaid(row: Row, change: Row, *, keys: Iterable[str]) -> Row:
    """Return `row` with every value that `change` gives, remembering where it was given.

    Args:
        row: The line to start from.
        change: The user's line; an empty value changes nothing.
        keys: Columns that name the line, and so are never changed.
    """
    given = {c: v for c, v in change.values.items() if v and c not in keys and c not in _PROVENANCE}
    return Row(row.table, row.line, {**row.values, **given}, {**row.origins, **_origins(change, given)})


def without(row: Row, *columns: str) -> Row:
    """Return `row` with some columns empty."""
    origins = {column: origin for column, origin in row.origins.items() if column not in columns}
    return Row(row.table, row.line, {**row.values, **dict.fromkeys(columns, "")}, origins)


def added(change: Row) -> Row:
    """Return a user's line as a line of its own."""
    given = {c: v for c, v in change.values.items() if v}
    return Row(change.table, change.line, change.values, _origins(change, given))


def _origins(change: Row, given: Iterable[str]) -> dict[str, Origin]:
    if change.origins:
        return {column: change.origins[column] for column in given if column in change.origins}
    dated = next((change.text(column) for column in _DATES if change.text(column)), "")
    origin = Origin(f"{change.table} line {change.line}", change.text("source"), dated)
    spot = Origin(origin.where, origin.source, change.text("spot_date") or dated)
    return {column: spot if column == "spot_usd_per_h" else origin for column in given}


def parsed(path: Path) -> tuple[Sequence[str], list[tuple[int, list[str]]]]:
    """Return the column names of a CSV file and each further line with its number.

    Raises:
        InputError: The file is missing or no UTF-8 text.
        CatalogError: It is too large, empty, no CSV, or names a column twice.
    """
    if not path.is_file():
        raise InputError.missing_file(path)
    if path.stat().st_size > _LARGEST_BYTES:
        raise CatalogError(f"'{path}' is larger than {_LARGEST_BYTES / 1e6:g} MB; expected a table of prices")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError.unreadable_file(path, str(error)) from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        lines = [(reader.line_num, line) for line in reader if any(cell.strip() for cell in line)]
    except csv.Error as error:
        raise CatalogError.bad_row(path.name, reader.line_num, f"not a CSV line ({error})") from error
    if not lines:
        raise CatalogError.bad_row(path.name, 1, "the file is empty; expected a line of column names")
    header = [column.strip() for column in lines[0][1]]
    twice = {column for column in header if header.count(column) > 1}
    if twice:
        raise CatalogError.bad_row(path.name, 1, f"column '{min(twice)}' is there twice; keep one")
    return header, lines[1:]


def _table_of(name: str, header: Sequence[str]) -> str:
    if "usd_per_unit" in header:
        return "storage"
    if "g_co2e_per_kwh" in header:
        return "carbon"
    if "discount_ratio" in header:
        return "commitments"
    if "id" in header:
        return "accelerators"
    if "provider" in header or "name" in header:
        return "instances"
    raise CatalogError.bad_row(
        name,
        1,
        "the columns fit no table; expected 'name' and a price (machines), 'id' (accelerators), "
        "'g_co2e_per_kwh' (carbon), 'discount_ratio' (commitments) or 'usd_per_unit' (storage)",
    )
