"""Times of arrival as traces write them: numbers, or dates with up to nine fractional digits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from advisor.traces.records import Floats

FIRST_POSIX_S = 1e9
"""A number from here on is a POSIX time (2001 or later), not a count from the start of a trace: 32 years."""
FIRST_POSIX_MS = 1e11
_DATE = re.compile(
    r"\s*(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.\d{1,9})?\s*(Z|UTC|[+-]\d\d:?\d\d)?\s*", re.ASCII
)


def moment(text: str) -> tuple[int, float]:
    """Return whole POSIX seconds and the fraction of a date; UTC where it names no zone.

    Raises:
        ValueError: It is no date with a time.

    Example:
        >>> moment("2023-11-16 18:17:03.9799600")  # seven digits, which `datetime` cuts to six
        (1700158623, 0.97996)
        >>> moment("2024-05-10T02:00:00+02:00")
        (1715299200, 0.0)
    """
    found = _DATE.fullmatch(text)
    if found is None:
        raise ValueError(text)
    day, clock, fraction, zone = found.groups()
    offset = zone if zone and zone[0] in "+-" else "+00:00"
    whole = datetime.fromisoformat(f"{day}T{clock}{offset}").astimezone(UTC)
    return int(whole.timestamp()), float(f"0{fraction}" if fraction else 0.0)


def is_date(value: object) -> bool:
    """Return whether a value is written as a date with a time.

    Example:
        >>> is_date("2023-11-16 18:17:03.9799600"), is_date("12.5"), is_date(12)
        (True, False, False)
    """
    return isinstance(value, str) and _DATE.fullmatch(value) is not None


def dates_s(texts: Sequence[str]) -> tuple[Floats, float]:
    """Return seconds since the first of these dates in the file, and its whole POSIX seconds.

    Raises:
        ValueError: One of them is no date.
    """
    moments = [moment(text) for text in texts]
    origin = moments[0][0]
    return np.array([(whole - origin) + fraction for whole, fraction in moments], dtype=float), float(origin)


def numbers_s(values: Floats, unit_s: float | None) -> tuple[Floats, float | None]:
    """Return seconds since an origin, and the POSIX time of the origin where the numbers say it.

    Args:
        values: Numbers of the time column.
        unit_s: Seconds one of them counts; None: seconds, or milliseconds where they are a POSIX time in them.

    Example:
        >>> numbers_s(np.array([27482.0, 30535.0]), 1e-3)
        (array([27.482, 30.535]), None)
        >>> numbers_s(np.array([1700158623000.0, 1700158624500.0]), None)
        (array([0. , 1.5]), 1700158623.0)
    """
    least = float(values.min())
    unit = unit_s or (1e-3 if least >= FIRST_POSIX_MS else 1.0)
    if least * unit < FIRST_POSIX_S:
        return values * unit, None
    return (values - least) * unit, least * unit
