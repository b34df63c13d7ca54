"""Reads large traces with Polars: lazily, and only the columns that are needed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from advisor.errors import InputError
from advisor.traces.conversion import LISTED_PROBLEMS, TIME, TOKENS, Prefix, known_column, ordered
from advisor.traces.records import Floats, Layout, Trace, layout_of
from advisor.traces.timestamps import is_date, numbers_s

if TYPE_CHECKING:
    import polars as pl

_LINE = "__line__"


def _polars() -> Any:
    try:
        import polars  # noqa: PLC0415 - an extra, and heavy
    except ImportError:
        raise InputError(
            "reading Parquet and large traces needs Polars; install it: pip install 'inference-advisor[traces]', "
            "or give a CSV with fewer rows"
        ) from None
    return polars


def polars_trace(path: Path, where: Mapping[str, str]) -> Trace:
    """Return the requests of a CSV or Parquet file, in order of arrival; see `advisor.traces.read_trace`.

    Raises:
        InputError: Polars is not installed, or the file holds junk.
    """
    polars = _polars()
    parquet = path.suffix.lower() == ".parquet"
    try:
        if parquet:
            scan = polars.scan_parquet(path).with_row_index(_LINE, offset=1)
        else:
            scan = polars.scan_csv(path, infer_schema=False, truncate_ragged_lines=True)
            scan = scan.with_row_index(_LINE, offset=2)
        return _collected(scan, where, path.name, "row" if parquet else "line")
    except polars.exceptions.PolarsError as error:
        raise InputError.unreadable_file(path, str(error).splitlines()[0]) from None


def _collected(scan: pl.LazyFrame, where: Mapping[str, str], source: str, place: str) -> Trace:
    polars = _polars()
    schema = scan.collect_schema()
    header = [name for name in schema.names() if name != _LINE]
    layout = layout_of(header, source)
    for name, value in where.items():
        known_column(name, header, source)
        scan = scan.filter(polars.col(name).cast(polars.String) == value)
    first = scan.select(layout.time).head(1).collect()
    if not first.height:
        raise InputError(f"{source} holds 0 requests; expected at least 2")
    time = _time(layout.time, schema[layout.time], first.item())
    tokens = [name for name in (layout.input_tokens, layout.output_tokens) if name]
    numbers = [polars.col(name).cast(polars.Float64, strict=False).alias(name) for name in tokens]
    frame = scan.select(time.alias("__time__"), *numbers).collect(engine="streaming")
    _check(scan, frame, layout, source, place, time)
    time_s, origin_s = _seconds(frame["__time__"], layout)
    lengths = [
        frame[name].to_numpy() if name else None for name in (layout.input_tokens, layout.output_tokens)
    ]
    share = _prefix_share(scan, layout) if layout.blocks else None
    return ordered(layout, source, time_s, origin_s, lengths, prefix_share_ratio=share)


def _time(name: str, kind: Any, first: object) -> pl.Expr:
    """Return the time of arrival as a number, or in nanoseconds where the column holds dates."""
    polars = _polars()
    column: pl.Expr = polars.col(name)
    if kind == polars.String and is_date(first):
        plain = column.str.strip_chars().str.replace("T", " ", literal=True)
        zoned = plain.str.replace(r"\s*(Z|UTC)$", "+00:00").str.replace(r"([+-]\d\d)(\d\d)$", "$1:$2")
        whole = polars.when(zoned.str.contains(r"[+-]\d\d:\d\d$")).then(zoned).otherwise(zoned + "+00:00")
        read: pl.Expr = whole.str.to_datetime(
            "%Y-%m-%d %H:%M:%S%.f%:z", time_unit="ns", strict=False, time_zone="UTC"
        )
    elif isinstance(kind, polars.Datetime):
        read = column.cast(polars.Datetime("ns"))
    else:
        return column.cast(polars.Float64, strict=False)
    return read.dt.epoch("ns")


def _seconds(time: pl.Series, layout: Layout) -> tuple[Floats, float | None]:
    if time.dtype.is_integer():
        nanoseconds = time.to_numpy()
        origin = int(nanoseconds.min()) // 10**9
        return np.asarray((nanoseconds - origin * 10**9) / 1e9, dtype=float), float(origin)
    return numbers_s(time.to_numpy(), layout.time_unit_s)


def _check(
    scan: pl.LazyFrame, frame: pl.DataFrame, layout: Layout, source: str, place: str, time: pl.Expr
) -> None:
    """Raise for values that are missing or no number; a second pass finds their lines."""
    polars = _polars()
    tests = {layout.time: (time.is_null() | ~time.is_finite(), TIME)}
    for name in (layout.input_tokens, layout.output_tokens):
        if name:
            number = polars.col(name).cast(polars.Float64, strict=False)
            tests[name] = ((number.is_null() | ~number.is_finite() | (number < 0.0)), TOKENS)
    if not _is_broken(frame):
        return
    found = []
    for name, (test, expected) in tests.items():
        bad = scan.filter(test).select(_LINE, name).head(LISTED_PROBLEMS).collect()
        for line, value in bad.iter_rows():
            got = "is missing" if value is None or value == "" else f"is {str(value)[:40]!r}"
            found.append((line, f"{source} {place} {line}: {name} {got}; expected {expected}"))
    raise InputError.listing(source, [text for _, text in sorted(found)[:LISTED_PROBLEMS]])


def _is_broken(frame: pl.DataFrame) -> bool:
    for number, column in enumerate(frame.get_columns()):
        values = column.to_numpy()
        if column.null_count() or not np.isfinite(values).all() or (number > 0 and (values < 0.0).any()):
            return True
    return False


def _prefix_share(scan: pl.LazyFrame, layout: Layout) -> float | None:
    prefix = Prefix()
    rows = scan.select(str(layout.blocks), str(layout.input_tokens)).collect()
    for blocks, tokens in rows.iter_rows():
        prefix.add(blocks, tokens)
    return prefix.share_ratio
