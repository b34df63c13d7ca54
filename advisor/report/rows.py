"""The lines of a report's tables, every field ready to be read."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.report.charts import Chart


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the comparison of today with the plan."""

    what: str
    today: str
    after: str
    change: str = ""
    tone: str = "plain"
    """`good` where the plan is better, `warn` where worse."""
    refs: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Lines of the comparison that belong together."""

    name: str
    """A service; empty for the whole."""
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Action:
    """One change and how to make it."""

    strategy: str
    title: str
    steps: tuple[str, ...]
    artefacts: tuple[tuple[str, str], ...]
    """Place and what to paste there."""
    risk: str
    sources: tuple[str, ...]
    refs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LatencyRow:
    """One latency in numbers."""

    what: str
    today: str
    after: str
    interval: str
    limit: str


@dataclass(frozen=True, slots=True)
class ServiceView:
    """What is recommended for one service."""

    number: int
    name: str
    where: str
    actions: tuple[Action, ...]
    kept: tuple[tuple[str, str], ...]
    """Strategies that stay as they are, and how they are."""
    loss: Chart | None
    loss_rows: tuple[tuple[str, str], ...]
    loss_refs: tuple[int, ...]
    loss_notes: tuple[str, ...]
    slices: tuple[tuple[str, str, str, str], ...]
    """Class of tasks with a limit of its own, expected loss, limit, probability of staying within it."""
    latency: Chart | None
    latency_rows: tuple[LatencyRow, ...]
    latency_refs: tuple[int, ...]
    hours: Chart | None
    hours_rows: tuple[tuple[str, str, str], ...]
    """Period, machines today, machines after."""


@dataclass(frozen=True, slots=True)
class BindingRow:
    """A requirement and how much of it is used."""

    requirement: str
    limit: str
    reached: str
    used: str
    meter: Chart


@dataclass(frozen=True, slots=True)
class AlternativeRow:
    """Another plan that meets the requirements."""

    differs: str
    machine: str
    choices: tuple[str, ...]
    cost: str
    extra: str
    one_time: str
    loss: str
    kept: str


@dataclass(frozen=True, slots=True)
class MoneyRow:
    """One item of a bill."""

    when: str
    what: str
    amount: str
    price: str
    cost: str
    refs: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class RepairRow:
    """The nearest value of a requirement that works."""

    requirement: str
    given: str
    nearest: str
    cost: str
    against_today: str
    machine: str


@dataclass(frozen=True, slots=True)
class ExclusionRow:
    """Options left out by one rule."""

    strategy: str
    options: str
    machines: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chapter:
    """Sentences and a table under a heading."""

    anchor: str
    title: str
    lead: tuple[str, ...]
    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...]
    """Columns that hold numbers."""
    notes: tuple[str, ...] = ()
