"""What one file of benchmark results says: rows as `advisor predict` takes them, with measured values beside them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from advisor.prediction.inputs import Row

_MILLISECONDS = {"ms": 1.0, "ms/token": 1.0, "s": 1e3, "s/token": 1e3, "us": 1e-3, "ns": 1e-6, "sec": 1e3}


@dataclass(frozen=True, slots=True)
class Run:
    """One benchmark run at one load: inputs of a prediction and measured values, under the names of public tables."""

    row: Row
    day: str = ""
    """`YYYY-MM-DD`; empty where the file does not say."""
    refused: str = ""
    """Why it cannot be used; empty where it can."""


@dataclass(frozen=True, slots=True)
class Results:
    """One file."""

    format: str
    runs: tuple[Run, ...]
    file: str = ""
    sha256: str = ""


def number(value: object) -> float | None:
    """Return a finite number of 0 or more, from a number or text; `None` for anything else.

    Example:
        >>> number("1,234.5"), number(float("nan")), number(True), number([1])
        (1234.5, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value.replace(",", "") if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) and found >= 0.0 else None


def inside(value: object, *path: str | int) -> object:
    """Return what lies at a path of keys and positions; `None` where nothing does.

    Example:
        >>> inside({"a": [{"b": 3}]}, "a", 0, "b"), inside({"a": 1}, "a", "b")
        (3, None)
    """
    for part in path:
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, Sequence) and not isinstance(value, str) and isinstance(part, int):
            value = value[part] if part < len(value) else None
        else:
            return None
    return value


def first_text(*values: object) -> str:
    """Return the first text or number, or the first of a list of texts; '' where there is none.

    Example:
        >>> first_text(None, ["a", "b"]), first_text({})
        ('a', '')
    """
    for value in values:
        if isinstance(value, str | int | float) and not isinstance(value, bool) and str(value).strip():
            return str(value).strip()
        if isinstance(value, list) and value and isinstance(value[0], str):
            return value[0].strip()
    return ""


def milliseconds(value: object, unit: object, *, otherwise: str = "ms") -> float | None:
    """Return a time in milliseconds; `None` where it is no time or its unit is not known.

    Example:
        >>> milliseconds(0.25, "s"), milliseconds(12.5, None), milliseconds(3, "fortnights")
        (250.0, 12.5, None)
    """
    found = number(value)
    scale = _MILLISECONDS.get(str(unit or otherwise).strip().lower())
    return None if found is None or scale is None else found * scale


def named(value: object, name: str, *, depth: int = 6) -> Iterator[object]:
    """Yield everything that is called `name` in nested mappings, the outermost first."""
    if not isinstance(value, Mapping) or depth == 0:
        return
    if name in value:
        yield value[name]
    for inner in value.values():
        yield from named(inner, name, depth=depth - 1)
