"""Lines of a text file from outside, none of which may fill the memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from advisor.errors import InputError

LONGEST_LINE = 1_000_000
"""Characters of the longest line that is read; a row of a table has a few hundred."""


def bounded_lines(file: TextIO, source: str, *, expected: str = "") -> Iterator[str]:
    """Yield the lines of an open file, each with its end.

    Args:
        file: Open for reading text.
        source: What messages call the file.
        expected: What the file should have been, in words.

    Raises:
        InputError: A line is longer than `LONGEST_LINE`.
    """
    number = 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE and not line.endswith("\n"):
            raise _too_long(f"{source} line {number}", expected)
        yield line


def check_lines(path: Path) -> None:
    """Refuse a file with a line of more than twice `LONGEST_LINE` bytes, before a reader holds it in memory.

    Raises:
        InputError: There is such a line.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        while chunk := file.read(LONGEST_LINE):
            if len(chunk) == LONGEST_LINE and b"\n" not in chunk:
                raise _too_long(f"a line of {path.name}", "")


def _too_long(where: str, expected: str) -> InputError:
    hint = expected or "this is no table of rows, or its line ends were lost"
    return InputError(f"{where} is longer than {LONGEST_LINE:,} characters; {hint}")
