"""Opens a billing export, CSV or Parquet, compressed or not, and yields its rows one by one: memory stays bounded."""

import csv
import gzip
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from advisor.errors import InputError
from advisor.lines import bounded_lines

_BATCH_ROWS = 20_000
_NOTHING = frozenset(("NULL", "Null", "null", "None", "none", "NaN", "nan", "\\N"))
"""How exports write that there is no value, beside an empty cell."""
_EXPECTED = "expected a FOCUS export as .csv, .csv.gz or .parquet"

Values = Sequence[Any]
"""One value for each wanted column, in that order; `""` where the row or the export has none."""


def charge_rows(
    path: Path, wanted: Sequence[Sequence[str]]
) -> tuple[tuple[bool, ...], Iterator[tuple[int, Values]]]:
    """Return which wanted columns an export has, and its rows, lazily.

    Args:
        path: `.csv`, `.csv.gz` or `.parquet`.
        wanted: For each value, the names its column may have, the first found in the export wins; case is ignored.

    Returns:
        Whether each wanted column is there, in order; and for each row its line (a Parquet file's row, from 1) and
        the wanted values. Reading the rows may raise `InputError` for a line that cannot be read.

    Raises:
        InputError: The file is missing, of another kind, empty, or cannot be read.
    """
    if not path.is_file():
        beside = path.parent.glob("*") if path.parent.is_dir() else ()
        raise InputError.missing_file(path, [file.name for file in beside])
    if path.suffix.lower() == ".parquet":
        return _parquet(path, wanted)
    endings = [ending.lower() for ending in path.suffixes[-2:]]
    if endings[-1:] != [".csv"] and endings != [".csv", ".gz"]:
        raise InputError(f"{path.name}: got the ending '{path.suffix}'; {_EXPECTED}")
    rows = _csv_rows(path)
    try:
        header = next(rows)[1]
    except StopIteration:
        raise InputError(f"{path.name} is empty; {_EXPECTED}") from None
    places = _places([name.strip() for name in header], wanted)
    return tuple(place is not None for place in places), _picked(rows, places, len(header), path.name)


def _places(header: Sequence[str], wanted: Sequence[Sequence[str]]) -> list[int | None]:
    found = {name.casefold(): place for place, name in reversed(list(enumerate(header)))}
    return [next((found[n.casefold()] for n in names if n.casefold() in found), None) for names in wanted]


def _picked(
    rows: Iterator[tuple[int, list[str]]], places: Sequence[int | None], width: int, source: str
) -> Iterator[tuple[int, Values]]:
    for number, row in rows:
        if len(row) != width:
            raise InputError(f"{source} line {number}: {len(row)} values; expected {width}, as in line 1")
        yield number, ["" if place is None else _plain(row[place]) for place in places]


def _csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the line number and the cells of each row that is not blank."""
    try:
        with _opened(path) as file:
            rows = csv.reader(bounded_lines(file, path.name, expected=_EXPECTED), strict=True)
            try:
                for row in rows:
                    if row:
                        yield rows.line_num, row
            except csv.Error as error:
                raise InputError(f"{path.name} line {rows.line_num}: not a CSV line ({error})") from None
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InputError.unreadable_file(path, str(error)) from None


def _opened(path: Path) -> TextIO:
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _parquet(
    path: Path, wanted: Sequence[Sequence[str]]
) -> tuple[tuple[bool, ...], Iterator[tuple[int, Values]]]:
    try:
        import polars  # noqa: PLC0415 - an extra, and heavy
    except ImportError:
        raise InputError(
            "reading Parquet needs Polars; install it: pip install 'inference-advisor[traces]', or give the export as CSV"
        ) from None
    try:
        scan = polars.scan_parquet(path)
        header = scan.collect_schema().names()
    except (polars.exceptions.PolarsError, OSError) as error:
        raise InputError.unreadable_file(path, str(error).splitlines()[0]) from None
    places = _places(header, wanted)
    names = [None if place is None else header[place] for place in places]
    return tuple(place is not None for place in places), _parquet_rows(scan, names, path)


def _parquet_rows(scan: Any, names: Sequence[str | None], path: Path) -> Iterator[tuple[int, Values]]:
    """Yield rows from batches, so that only one batch is ever in memory."""
    import polars  # noqa: PLC0415 - an extra, and heavy

    columns = list(dict.fromkeys(name for name in names if name))
    at = [None if name is None else columns.index(name) for name in names]
    start = 0
    while True:
        try:
            batch = scan.select(columns).slice(start, _BATCH_ROWS).collect()
        except polars.exceptions.PolarsError as error:
            raise InputError.unreadable_file(path, str(error).splitlines()[0]) from None
        for number, row in enumerate(batch.iter_rows(), start + 1):
            yield number, ["" if place is None else _plain(row[place]) for place in at]
        if batch.height < _BATCH_ROWS:
            return
        start += _BATCH_ROWS


def _plain(value: Any) -> Any:
    """Text without blanks around it, empty where the export writes NULL; maps and lists as they are."""
    if isinstance(value, str):
        text = value.strip()
        return "" if text in _NOTHING else text
    if value is None or isinstance(value, Mapping | list | tuple):
        return value or ""
    return str(value)
