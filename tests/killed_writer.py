"""Runs in a process of its own: a command, or a writer, that is killed in the middle of a write."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any, Self

from advisor.whole_file import write_text

MOMENTS = ("in the middle of the text", "before it has its name", "after it has its name")


def killed(moment: str) -> None:
    """From now on, this process kills itself at a moment of a write."""

    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    opened, named = os.fdopen, Path.replace

    class Half:
        """A file that ends the process after the first half of what is written."""

        def __init__(self, file: Any) -> None:
            self._file = file

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            die()

        def write(self, text: str) -> None:
            self._file.write(text[: max(1, len(text) // 2)])
            self._file.flush()
            die()

    if moment == MOMENTS[0]:
        os.fdopen = lambda *a, **k: Half(opened(*a, **k))  # type: ignore[assignment]
    elif moment == MOMENTS[1]:
        Path.replace = die  # type: ignore[assignment, method-assign]
    else:

        def replace(part: Path, target: Path) -> None:
            named(part, target)
            die()

        Path.replace = replace  # type: ignore[assignment, method-assign]


def command(folder: Path, arguments: tuple[str, ...], moment: str | None) -> None:
    """Run a command in this process, killed at a moment."""
    os.chdir(folder)
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123
    sys.argv = ["advisor", *arguments]
    if moment is not None:
        killed(moment)
    from advisor.cli import main

    main()


def writer(path: Path, text: str) -> None:
    """Write for ever, until it is killed."""
    while True:
        write_text(text, path, force=True)
