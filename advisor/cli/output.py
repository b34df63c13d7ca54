"""What every command that prints or writes does alike: check an output before work starts, and fit a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from rich.console import RenderableType


def check_output(path: Path, endings: Iterable[str], *, force: bool) -> None:
    """Refuse an output that cannot be written, before anything is computed.

    Raises:
        InputError: Its ending is not one of `endings`, or its folder is missing.
        FileExists: The file is there and `force` is false.
    """
    from advisor.errors import FileExists, InputError

    if path.suffix.lower() not in endings:
        raise InputError(f"-o {path}: got the ending '{path.suffix}'; expected one of {', '.join(endings)}")
    if not path.parent.is_dir():
        raise InputError(f"-o {path}: there is no folder '{path.parent}'")
    if path.exists() and not force:
        raise FileExists.at(path)


def terminal_text(parts: Iterable[RenderableType]) -> str:
    """Return parts as wide as the terminal is, up to 120 columns; in colour where it is one and NO_COLOR is not set."""
    import os
    import shutil
    import sys

    from advisor.report.terminal import rendered

    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return rendered(parts, width=min(shutil.get_terminal_size((80, 24)).columns, 120), colour=colour)
