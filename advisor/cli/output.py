"""What every command that prints or writes does alike: check an output before work starts, and fit a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from rich.console import RenderableType

    from advisor.evaluating import Progress
    from advisor.solver import Observer

T = TypeVar("T")
WAITING = "Evaluating every candidate ..."


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
    from advisor.report.terminal import rendered

    return rendered(parts, width=terminal_width(), colour=is_coloured())


def is_coloured() -> bool:
    """Return whether stdout is a terminal that wants colour."""
    import os
    import sys

    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def terminal_width(most: int = 120) -> int:
    """Return the columns of the terminal, 80 where there is none, at most so many."""
    import shutil

    return min(shutil.get_terminal_size((80, 24)).columns, most)


def with_told_progress(call: Callable[[Progress | None, Observer | None], T]) -> T:
    """Return what a call returns, and say on stderr how far it is where that is a terminal.

    Args:
        call: Takes what is told of the services evaluated and what is told by the solver; `None` without a terminal.
    """
    import sys

    if not sys.stderr.isatty():
        return call(None, None)
    from rich.console import Console

    with Console(stderr=True).status(WAITING) as status:
        return call(
            lambda done, count: status.update(f"Evaluated {done:,} of {count:,} services ..."),
            lambda best, bound: status.update(solving_words(best, bound)),
        )


def solving_words(best: float, bound: float) -> str:
    """Return how far the solver is: the cost of its best plan and its bound, both in USD per month."""
    if best == float("inf"):
        return f"Solving: no plan is below ${bound:,.0f} a month ..."
    gap = max(best - bound, 0.0) / best if best > 0.0 else 0.0
    return f"Solving: best ${best:,.0f} a month, none below ${bound:,.0f}, gap {100.0 * gap:.2g} % ..."


def with_progress(call: Callable[[], T]) -> T:
    """Return what a call returns, with a spinner on stderr meanwhile where that is a terminal."""
    import sys

    if not sys.stderr.isatty():
        return call()
    from rich.console import Console

    with Console(stderr=True).status(WAITING):
        return call()
