"""What this installation of advisor consists of, and what about it is old or missing."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Literal

from advisor.catalog import STALE_DAYS, Catalog
from advisor.registry import GROUP
from advisor.solver import available_solvers
from advisor.strategy import Strategy

PACKAGE = "inference-advisor"
Mark = Literal["ok", "note", "problem"]
_OF_DEVELOPERS = {"dev", "integration", "mlops", "test"}
_PARTS = ("pulp", "highspy", "pydantic", "numpy", "typer", "jinja2", "PyYAML")
_MARKED = {"ok": " ", "note": "-", "problem": "!"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        topic: `python`, `package`, `solver`, `extra`, `catalogue` or `strategy`.
        name: What was looked at.
        found: What was found, in words.
        mark: `problem` where something does not work, `note` where something could be better.
        advice: What to do about it.
    """

    topic: str
    name: str
    found: str
    mark: Mark = "ok"
    advice: str = ""


def examined(*, today: str) -> tuple[Finding, ...]:
    """Return what there is, topic by topic; nothing that is broken keeps the rest from being looked at.

    Args:
        today: The day that prices are aged against, `YYYY-MM-DD`.
    """
    return (*_packages(), *_solvers(), *_extras(), *_catalogue(today), *_strategies())


def doctor_text(findings: Sequence[Finding]) -> str:
    """Return the findings as a table for a terminal, problems marked with `!` and notes with `-`.

    Example:
        >>> print(doctor_text([Finding("extra", "traces", "not installed", "note", "pip install x")]), end="")
        extra
        - traces                  not installed
                                  pip install x
        <BLANKLINE>
        Nothing is broken; 1 note.
    """
    lines: list[str] = []
    topic = ""
    for finding in findings:
        if finding.topic != topic:
            lines += [*([""] if topic else []), finding.topic]
            topic = finding.topic
        lines.append(f"{_MARKED[finding.mark]} {finding.name:<24}{finding.found}".rstrip())
        if finding.advice:
            lines.append(f"{'':26}{finding.advice}")
    return "\n".join([*lines, "", _closing(findings), ""])


def _closing(findings: Sequence[Finding]) -> str:
    problems, notes = (sum(finding.mark == mark for finding in findings) for mark in ("problem", "note"))
    broken = f"{problems} problem{'' if problems == 1 else 's'}" if problems else "Nothing is broken"
    return f"{broken}; {notes} note{'' if notes == 1 else 's'}."


def _packages() -> Iterable[Finding]:
    yield Finding(
        "python", platform.python_implementation(), f"{platform.python_version()} on {platform.platform()}"
    )
    for name in (PACKAGE, *_PARTS):
        version = _version(name)
        if version is None:
            yield Finding("package", name, "not installed", "problem", f"pip install {PACKAGE}")
        else:
            yield Finding("package", name, version)


def _solvers() -> Iterable[Finding]:
    try:
        names = available_solvers()
    except Exception as error:  # noqa: BLE001 - whatever is broken there is the finding
        yield Finding(
            "solver", "pulp", f"does not work: {_reason(error)}", "problem", f"pip install {PACKAGE}"
        )
        return
    for number, name in enumerate(names):
        yield Finding("solver", name, "the default" if number == 0 else "with --solver")
    if "highs" not in names:
        yield Finding("solver", "highs", "not available", "problem", "pip install highspy")


def _extras() -> Iterable[Finding]:
    for extra, names in _requirements_by_extra().items():
        missing = [name for name in names if _version(name) is None]
        there = ", ".join(f"{name} {version}" for name in names if (version := _version(name)))
        if missing:
            needed = "" if extra in _OF_DEVELOPERS else f"pip install '{PACKAGE}[{extra}]'"
            words = f"not installed: {', '.join(missing)}"
            yield Finding("extra", extra, words, "ok" if extra in _OF_DEVELOPERS else "note", needed)
        else:
            yield Finding("extra", extra, there)


def _requirements_by_extra() -> dict[str, list[str]]:
    """Return the distributions that each extra asks for, as the installed package states them."""
    try:
        stated = metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError:
        return {}
    found: dict[str, list[str]] = {name: [] for name in stated.metadata.get_all("Provides-Extra") or ()}
    for requirement in stated.requires or ():
        name = re.match(r"[A-Za-z0-9._-]+", requirement)
        extra = re.search(r"""extra\s*==\s*["']([^"']+)["']""", requirement)
        if name and extra:
            found.setdefault(extra[1], []).append(name[0])
    return found


def _catalogue(today: str) -> Iterable[Finding]:
    catalog = Catalog.load()
    machines = catalog.instances
    providers = len({machine.provider for machine in machines})
    size = f"{len(machines)} machines of {providers} providers, {len(catalog.accelerators)} chips"
    yield Finding("catalogue", catalog.version, size)
    prices = [price for machine in machines for price in machine.prices.values()]
    ages = [age for price in prices if (age := price.age_days(today)) is not None]
    stale = len(catalog.stale_prices(today))
    advice = "give your own with --catalog or price: in the workload" if stale else ""
    yield Finding(
        "catalogue",
        "prices",
        f"{len(prices)}, {min(ages)} to {max(ages)} days old; {stale} undated or older than {STALE_DAYS} days",
        "note" if stale else "ok",
        advice,
    )


def _strategies() -> Iterable[Finding]:
    names: set[str] = set()
    for point in sorted(metadata.entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        origin = f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown package"
        advice = f"reinstall or remove {origin}"
        try:
            strategy = point.load()
        except Exception as error:  # noqa: BLE001 - somebody else's code
            yield Finding("strategy", point.name, f"does not load: {_reason(error)}", "problem", advice)
            continue
        if not isinstance(strategy, Strategy):
            yield Finding("strategy", point.name, f"{point.value} is no strategy", "problem", advice)
        elif strategy.name in names:
            yield Finding("strategy", strategy.name, f"provided twice, also by {origin}", "problem", advice)
        else:
            names.add(strategy.name)
            yield Finding("strategy", strategy.name, f"{strategy.title} ({origin})")
    if not names:
        yield Finding("strategy", "none", "no strategy is installed", "problem", f"pip install {PACKAGE}")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _reason(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
