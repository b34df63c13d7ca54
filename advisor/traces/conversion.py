"""Turns raw columns into a trace: numbers checked, failures left out, arrivals sorted; bad values are named by line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from advisor.errors import InputError
from advisor.traces.records import BLOCK_TOKENS, Floats, Layout, Trace
from advisor.traces.timestamps import dates_s, is_date, moment, numbers_s

LISTED_PROBLEMS = 5
_MOST_TOKENS = 1e12
"""Tokens of one prompt beyond which it is no prompt."""
TOKENS = "a number of tokens, 0 or more"
TIME = "a number of seconds or a date such as 2023-11-16 18:17:03.9799600"


def known_column(name: str, header: Sequence[str], source: str) -> str:
    """Return the name of a column if the file has it.

    Raises:
        InputError: It has not.
    """
    if name not in header:
        raise InputError(f"{source}: there is no column '{name}' (columns: {', '.join(header[:12])})")
    return name


class Prefix:
    """Counts the tokens of prompts whose leading blocks were seen before, as an endless cache of prefixes would hold.

    Example:
        >>> prefix = Prefix()
        >>> prefix.add([1, 2, 3], 1500)
        >>> prefix.add([1, 2, 9], 1124)  # two blocks of 512 seen before
        >>> round(prefix.share_ratio, 4)  # 1024 / 2624
        0.3902
    """

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._cached = self._tokens = 0.0

    def add(self, blocks: object, tokens: object) -> None:
        """Count one prompt with the hashes of its blocks and its length; anything else is left to the later check."""
        if not isinstance(tokens, int | float) or not 0 <= tokens <= _MOST_TOKENS:
            return
        if not isinstance(blocks, list) or not all(isinstance(block, int | str) for block in blocks):
            return
        known = next((at for at, block in enumerate(blocks) if block not in self._seen), len(blocks))
        self._seen.update(blocks[known:])
        self._cached += min(known * BLOCK_TOKENS, float(tokens))
        self._tokens += float(tokens)

    @property
    def share_ratio(self) -> float | None:
        """Share of the tokens that were cached; None where nothing was counted."""
        return self._cached / self._tokens if self._tokens else None


def assembled(
    columns: Mapping[str, Sequence[Any]],
    layout: Layout,
    source: str,
    *,
    prefix_share_ratio: float | None = None,
) -> Trace:
    """Return the trace of raw columns; the column '' holds the number of each line.

    Raises:
        InputError: A value is missing or no number, with its line; or there are fewer than two requests.
    """
    lines = columns[""]
    if len(lines) < 2:
        raise InputError(f"{source} holds {len(lines)} requests; expected at least 2")
    problems: list[str] = []
    time_s, origin_s = _times(columns[layout.time], layout, lines, problems)
    lengths = [
        _lengths(columns[name], name, lines, problems) if name else None
        for name in (layout.input_tokens, layout.output_tokens)
    ]
    if problems:
        shown = sorted(problems, key=_line_of)[:LISTED_PROBLEMS]
        raise InputError.listing(source, [f"{source} {problem}" for problem in shown])
    return ordered(layout, source, time_s, origin_s, lengths, prefix_share_ratio=prefix_share_ratio)


def _line_of(problem: str) -> int:
    return int(problem.split()[1].rstrip(":"))


def ordered(
    layout: Layout,
    source: str,
    time_s: Floats,
    origin_posix_s: float | None,
    lengths: Sequence[Floats | None],
    *,
    prefix_share_ratio: float | None = None,
) -> Trace:
    """Return the trace of converted columns, sorted by arrival, failures left out.

    Raises:
        InputError: Fewer than two requests remain, or all arrive at one moment.
    """
    answered = np.ones(len(time_s), dtype=bool)
    if layout.unanswered_failed and lengths[1] is not None:
        answered = lengths[1] > 0.0
    kept = np.flatnonzero(answered)
    kept = kept[np.argsort(time_s[kept], kind="stable")]
    if len(kept) < 2 or time_s[kept[-1]] <= time_s[kept[0]]:
        raise InputError(f"{source}: expected at least 2 answered requests at different times")
    first = float(time_s[kept[0]])
    return Trace(
        source=source,
        layout=layout.name,
        arrival_s=time_s[kept] - first,
        input_tokens=None if lengths[0] is None else lengths[0][kept],
        output_tokens=None if lengths[1] is None else lengths[1][kept],
        start_posix_s=None if origin_posix_s is None else origin_posix_s + first,
        failed=int(len(answered) - answered.sum()),
        prefix_share_ratio=prefix_share_ratio,
    )


def _times(
    values: Sequence[Any], layout: Layout, lines: Sequence[int], problems: list[str]
) -> tuple[Floats, float | None]:
    dated = is_date(values[0])
    try:
        if dated:
            return dates_s(values)
        numbers = np.array(values, dtype=float)
        if np.isfinite(numbers).all():
            return numbers_s(numbers, layout.time_unit_s)
    except (ValueError, TypeError, OverflowError):
        pass
    problems += _listed(values, layout.time, lines, moment if dated else _finite, TIME)
    return np.zeros(0), None


def _lengths(values: Sequence[Any], name: str, lines: Sequence[int], problems: list[str]) -> Floats | None:
    try:
        numbers = np.array(values, dtype=float)
        if (np.isfinite(numbers) & (numbers >= 0.0)).all():
            return numbers
    except (ValueError, TypeError, OverflowError):
        pass
    problems += _listed(values, name, lines, _length, TOKENS)
    return None


def _finite(value: Any) -> float:
    number = float(value)
    if not np.isfinite(number):
        raise ValueError(value)
    return number


def _length(value: Any) -> float:
    number = _finite(value)
    if number < 0.0:
        raise ValueError(value)
    return number


def _listed(
    values: Sequence[Any], name: str, lines: Sequence[int], check: Callable[[Any], object], expected: str
) -> list[str]:
    """Return words for the first values that fail the check, each with its line."""
    found = []
    for line, value in zip(lines, values, strict=True):
        try:
            check(value)
        except (ValueError, TypeError, OverflowError):
            got = "is missing" if value is None or value == "" else f"is {str(value)[:40]!r}"
            found.append(f"line {line}: {name} {got}; expected {expected}")
            if len(found) == LISTED_PROBLEMS:
                break
    return found
