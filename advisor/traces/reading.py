"""Reads a trace from CSV, JSON lines or Parquet, compressed or not, sorted or not; a bad line is named by its number.

Small CSV files and JSON lines go through the standard library; large CSV files and Parquet through Polars, lazily:
only the columns that are needed are ever in memory.
"""

from __future__ import annotations

import csv
import gzip
import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TextIO

from advisor.errors import InputError
from advisor.lines import bounded_lines, check_lines
from advisor.traces.conversion import Prefix, assembled, known_column
from advisor.traces.lazy import polars_trace
from advisor.traces.records import Layout, Trace, layout_of

SMALL_ROWS = 200_000
"""Rows of CSV that are read without Polars."""
SMALL_BYTES = 8_000_000
SMALL_COMPRESSED_BYTES = 2_000_000
_LINES = {".jsonl", ".ndjson"}
_ENDINGS = ".csv, .jsonl, .ndjson or .parquet (text also as .gz)"


def read_trace(path: str | Path, *, where: Mapping[str, str] | None = None) -> Trace:
    """Return the requests of a trace file, in order of arrival.

    Args:
        path: `.csv`, `.jsonl`, `.ndjson` (each also as `.gz`) or `.parquet`, in the layout of the Azure, BurstGPT or
            Mooncake traces, or with columns such as arrival_s, input_tokens, output_tokens.
        where: Keep only the rows that have this value in this column.

    Raises:
        InputError: The file is missing or of another kind, a column is missing, or lines hold junk: each is named.
    """
    path, where = Path(path), where or {}
    if not path.is_file():
        raise InputError.missing_file(path, _beside(path))
    endings = [ending.lower() for ending in path.suffixes]
    kind = next((ending for ending in reversed(endings) if ending != ".gz"), "")
    if kind == ".parquet":
        return polars_trace(path, where)
    if kind not in {".csv", *_LINES}:
        raise InputError(f"{path.name}: got the ending '{path.suffix}'; expected {_ENDINGS}")
    try:
        return _from_lines(path, where) if kind in _LINES else _from_csv(path, where)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise InputError.unreadable_file(path, str(error)) from None


def _beside(path: Path) -> list[str]:
    return [file.name for file in path.parent.glob("*")] if path.parent.is_dir() else []


def _opened(path: Path) -> TextIO:
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _from_csv(path: Path, where: Mapping[str, str]) -> Trace:
    small = SMALL_COMPRESSED_BYTES if path.suffix.lower() == ".gz" else SMALL_BYTES
    if path.stat().st_size > small and find_spec("polars") is not None:
        if path.suffix.lower() != ".gz":
            check_lines(path)
        return polars_trace(path, where)
    with _opened(path) as file:
        rows = csv.reader(bounded_lines(file, path.name))
        header = next(rows, [])
        layout = layout_of(header, path.name)
        columns = _csv_columns(rows, header, layout, where, path)
    return assembled(columns, layout, path.name)


def _csv_columns(
    rows: Iterator[list[str]], header: list[str], layout: Layout, where: Mapping[str, str], path: Path
) -> dict[str, Sequence[Any]]:
    names = [name for name in (layout.time, layout.input_tokens, layout.output_tokens) if name]
    at = [header.index(name) for name in names]
    wanted = [(header.index(known_column(name, header, path.name)), value) for name, value in where.items()]
    columns: dict[str, list[str]] = {name: [] for name in names}
    lines = array("q")
    for row in rows:
        if not row or any(position < len(row) and row[position] != value for position, value in wanted):
            continue
        if len(lines) >= SMALL_ROWS:
            raise InputError(
                f"{path.name} has more than {SMALL_ROWS:,} rows; install the reader for large traces: "
                "pip install 'inference-advisor[traces]'"
            )
        lines.append(rows.line_num)  # type: ignore[attr-defined]
        for name, position in zip(names, at, strict=True):
            columns[name].append(row[position] if position < len(row) else "")
    return {**columns, "": lines}


def _from_lines(path: Path, where: Mapping[str, str]) -> Trace:
    columns: dict[str, list[Any]] = {}
    layout: Layout | None = None
    lines, prefix = array("q"), Prefix()
    with _opened(path) as file:
        for number, record in _records(bounded_lines(file, path.name), path):
            if layout is None:
                layout = layout_of(list(record), path.name)
                names = [name for name in (layout.time, layout.input_tokens, layout.output_tokens) if name]
                columns = {name: [] for name in names}
            if any(str(record.get(name)) != value for name, value in where.items()):
                continue
            lines.append(number)
            for name, values in columns.items():
                values.append(record.get(name))
            if layout.blocks:
                prefix.add(record.get(layout.blocks), record.get(str(layout.input_tokens)))
    if layout is None:
        raise InputError(f"{path.name} is empty; expected one JSON object a line")
    return assembled({**columns, "": lines}, layout, path.name, prefix_share_ratio=prefix.share_ratio)


def _records(file: Iterable[str], path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise InputError(f"{path.name} line {number}: {error}; expected one JSON object") from None
        if not isinstance(record, dict):
            raise InputError(f"{path.name} line {number}: expected one JSON object, such as {{...}}")
        yield number, record
