"""Reads the columns of rows that people bring: several names for one thing, empty cells, and numbers that are none."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from advisor.prediction.outcome import Array

Row = Mapping[str, object]
_LONGEST_CELL = 40
_UNSET = frozenset({"default", "auto", "none", "null", "nan", "n/a", "-"})
_TRUE = frozenset({"true", "1", "1.0", "yes", "t", "y"})


def cell(row: Row, *names: str) -> str:
    """Return the first of the named cells that holds something, as text; '' where none does.

    Example:
        >>> cell({"tp": float("nan"), "tp_size": 4.0}, "tp", "tp_size"), cell({"tp": None}, "tp")
        ('4.0', '')
    """
    for name in names:
        value = row.get(name)
        if isinstance(value, str):
            if text := value.strip():
                return text
        elif value is not None and value == value:  # noqa: PLR0124 - NaN of a data frame is an empty cell
            return str(value)
    return ""


def is_true(text: str) -> bool:
    """Return whether a cell says yes.

    Example:
        >>> is_true("True"), is_true("")
        (True, False)
    """
    return text.lower() in _TRUE


def quoted(text: str) -> str:
    """Return text from a file for a message, cut where it is long.

    Example:
        >>> quoted("x" * 50)
        "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...'"
    """
    return f"'{text if len(text) <= _LONGEST_CELL else f'{text[:_LONGEST_CELL]}...'}'"


@dataclass(frozen=True, slots=True)
class Inputs:
    """Rows of one kind, and why some of them cannot be predicted, as found while reading."""

    rows: Sequence[Row]
    reasons: list[str] = field(default_factory=list)
    """One entry for each row; the first problem found, or ''."""
    present: Collection[str] = ()
    """Names of all columns that any row has."""

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Inputs:
        """Return the rows with nothing found yet."""
        return cls(rows, [""] * len(rows), set[str]().union(*rows))

    def texts(self, *names: str) -> list[str]:
        """Return for each row the first of the named cells that holds something; '' where none does."""
        there = [name for name in names if name in self.present]
        return [cell(row, *there) for row in self.rows] if there else [""] * len(self.rows)

    def numbers(self, *names: str, least: float, most: float, default: float | None = None) -> Array:
        """Return one number for each row within its bounds; rows without one are refused and get `least`.

        Args:
            names: Columns; the first one that holds something counts.
            least: Smallest value that makes sense.
            most: Largest value that makes sense; above it a cell is taken for a mistake.
            default: Value of an empty cell; None refuses the row.
        """
        texts = self.texts(*names)
        values = np.array([_number(text) for text in texts], dtype=float)
        for place in np.flatnonzero(~((values >= least) & (values <= most))).tolist():
            text = texts[place]
            if default is not None and (not text or text.lower() in _UNSET):
                values[place] = default
                continue
            name = next((name for name in names if name in self.rows[place]), names[0])
            self.refuse(place, _problem(name, text, least=least, most=most))
            values[place] = least
        return values

    def refuse(self, place: int, reason: str) -> None:
        """Note why one row cannot be predicted; the first reason stays."""
        self.reasons[place] = self.reasons[place] or reason


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def _problem(name: str, text: str, *, least: float, most: float) -> str:
    expected = f"expected a number from {least:g} to {most:g}"
    return f"{name} is {quoted(text)}; {expected}" if text else f"{name} is missing; {expected}"
