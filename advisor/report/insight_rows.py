"""The lines of the chapters that explain a plan, every field ready to be read."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.report.charts import Chart


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to act."""

    word: str
    tone: str
    reason: str
    rule: str
    assumptions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Measurement:
    """What to measure before deciding."""

    subject: str
    why: str
    value: str
    chance: str
    samples: str
    command: str
    record: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PartRow:
    """What one change saves, and the bill after it."""

    what: str
    saves: str
    share: str
    left: str


@dataclass(frozen=True, slots=True)
class OtherRow:
    """Another option of a strategy."""

    title: str
    cost: str
    extra: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReasonView:
    """Why this option and not another."""

    strategy: str
    title: str
    changed: bool
    text: str
    others: tuple[OtherRow, ...]
    """The nearest ones."""
    more: tuple[OtherRow, ...]
    refused: tuple[tuple[str, str], ...]
    """What cannot be used here, and why; those with one reason share a line."""


@dataclass(frozen=True, slots=True)
class StepView:
    """One step of the roll-out."""

    number: int
    title: str
    machines: str
    cost: str
    saves: str
    cumulative: str
    meter: Chart
    effort: str
    once: str
    prerequisite: str
    steps: tuple[str, ...]
    artefacts: tuple[tuple[str, str], ...]
    checks: str
    back_if: str
    """Empty where there is no way back."""
    back: str
    risks: tuple[str, ...]
    refs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class NearRow:
    """A plan almost as cheap."""

    differs: str
    machine: str
    cost: str
    extra: str
    one_time: str
    loss: str
    kept: str


@dataclass(frozen=True, slots=True)
class GridRow:
    """The cost at each latency limit, under one accuracy limit."""

    loss: str
    yours: bool
    costs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sliders:
    """Two limits to move, with the cheapest plan under each pair of them."""

    losses: tuple[str, ...]
    loss_at: int
    factors: tuple[str, ...]
    factor_at: int
    columns: tuple[str, ...]
    """Headings of the table in their place."""
    limits: tuple[str, ...]
    """The latency limits that each factor stands for, in words."""
    loss_chart: Chart
    latency_chart: Chart | None
    """None where no latency is limited."""
    rows: tuple[GridRow, ...]
    data: str
    """JSON for the script, safe inside a script element."""


@dataclass(frozen=True, slots=True)
class FrontierView:
    """Cost against one limit."""

    title: str
    chart: Chart
    rows: tuple[tuple[str, str, str], ...]
    """Limit, cost, plan."""


@dataclass(frozen=True, slots=True)
class PromiseRow:
    """What a promise costs."""

    promise: str
    now: str
    step: str
    tighter: str
    looser: str
    next_tighter: str
    """The first tighter value at which the cost changes."""
    next_looser: str


@dataclass(frozen=True, slots=True)
class FactorRow:
    """One thing that turns out differently."""

    what: str
    turns_out: str
    kept: str
    best: str
    plan: str


@dataclass(frozen=True, slots=True)
class RobustRow:
    """A plan under joint uncertainty."""

    plan: str
    notes: str
    cost: str
    all_hold: str
    expected: str
    regret: str
    saves: str


@dataclass(frozen=True, slots=True)
class InsightView:
    """Everything that explains a plan; the lower half is empty where only what is quick to find was asked for."""

    verdict: Verdict | None
    waterfall: Chart
    parts: tuple[PartRow, ...]
    parts_note: str
    reasons: tuple[ReasonView, ...]
    rollout: str
    steps: tuple[StepView, ...]
    near: tuple[NearRow, ...]
    sliders: Sliders | None
    frontiers: tuple[FrontierView, ...]
    promises: tuple[PromiseRow, ...]
    tornado: Chart | None
    factors: tuple[FactorRow, ...]
    holds: tuple[tuple[str, str], ...]
    """Each limit and the probability that it holds."""
    robust: tuple[RobustRow, ...]
    robust_note: str
