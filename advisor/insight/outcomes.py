"""What the questions of `advisor what-if`, `frontier` and `compare` are answered with, as frozen results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from advisor.insight.results import Frontier, Insights, PlanBrief
from advisor.recommendation import Conflict, Recommendation
from advisor.results import Result


class ServiceInsights(Result):
    """What explains one service of a fleet, as if it bought its machines alone."""

    name: str
    insights: Insights
    beyond_cheapest_usd_per_month: float
    """What its plan costs more than its cheapest one: then a limit that the services share, buying together, or the
    objective is why."""


class FleetStep(Result):
    """One step of one service on the way of the fleet."""

    service: str
    step: int
    """Its number in the roll-out of the service."""
    title: str
    engineer_hours: float
    saving_usd_per_month: float
    cumulative_saving_usd_per_month: float
    """Of all services, machines bought by each alone."""


class FleetInsights(Result):
    """What explains a plan for several services."""

    services: tuple[ServiceInsights, ...]
    together_usd_per_month: float
    """What buying machines together saves beyond the savings of the services; the sum is the fleet's saving."""
    steps: tuple[FleetStep, ...]
    """The least work first; those of a service in its own order."""


class Explanation(Result):
    """A recommendation with what there is to say about it."""

    recommendation: Recommendation
    insights: Insights | None
    """Null for a fleet, and where there is no plan."""
    fleet: FleetInsights | None = None
    """Null for one service, for a fleet that is too large or in which not every service is served by one pool."""


class ScenarioOutcome(Result):
    """What becomes of the plan, and which plan would be best, where something turns out differently."""

    name: str
    scenario: Mapping[str, Any]
    """What turns out differently, as it was given; empty for what was stated."""
    today_usd_per_month: float
    """Today's deployment, with the machines it has."""
    today_keeps_limits: bool
    best_usd_per_month: float | None
    """The best plan if this had been known; null where nothing fits."""
    change_usd_per_month: float | None
    """Of the best plan, against the one for what was stated."""
    kept_usd_per_month: float | None
    """The recommended machines and options with as many machines as are then needed; null where no number keeps the
    limits, or nothing was recommended."""
    holds_as_sized: bool
    """Whether the recommended plan keeps its limits with the machines that it has."""
    changes_plan: bool
    """Whether the best plan has another machine or another option."""
    services: Mapping[str, PlanBrief]
    """The best plan of each service; empty where nothing fits."""
    conflict: Conflict | None = None
    """Why nothing fits."""


class WhatIf(Result):
    """The plan as stated and under other circumstances."""

    workload: str
    stated: ScenarioOutcome
    scenarios: tuple[ScenarioOutcome, ...]


class FrontierAnswer(Result):
    """What moving one limit costs, each in its own curve."""

    workload: str
    today_usd_per_month: float
    plan: PlanBrief
    """The recommended one."""
    frontiers: tuple[Frontier, ...]


class Difference(Result):
    """One thing in which two plans differ, or a number of both."""

    service: str
    """Empty where it is of the whole."""
    group: Literal["asked", "money", "machines", "choices", "promises"]
    what: str
    """`cost`, a strategy, a latency such as `ttft_p99`, or another name."""
    first: float | str | None
    second: float | str | None
    unit: Literal["USD/month", "USD", "ratio", "probability", "s", "kg/month", "months", "machines", ""] = ""
    """Of two numbers; empty for texts."""
    same: bool


class Comparison(Result):
    """Two recommendations side by side."""

    first: str
    """What the first one is called, such as its file."""
    second: str
    cheaper: Literal["first", "second", "neither"]
    change_usd_per_month: float
    """Of the second against the first."""
    same_request: bool
    """Whether both answer the same workload and requirements."""
    differences: tuple[Difference, ...]


Answer: TypeAlias = Explanation | FrontierAnswer | WhatIf | Comparison
