"""Why nothing fits, and what would: requirements in conflict, repairs, the nearest plan."""

from __future__ import annotations

from advisor.results import Result


class Repair(Result):
    """The nearest value of one requirement at which a plan exists, the others held; solved again to be sure."""

    requirement: str
    given: str
    nearest: str
    cost_usd_per_month: float
    instance_type: str
    loosened_ratio: float = 0.0
    """How much looser than what was given, as a share of it."""
    text: str


class Miss(Result):
    """A requirement that a plan does not keep."""

    requirement: str
    limit: str
    reached: str


class NearestPlan(Result):
    """The best plan found: the cheapest that breaks few requirements, and those by as little as works."""

    instance_type: str
    """Empty for a fleet."""
    instances_peak: int
    """0 for a fleet."""
    choices: tuple[str, ...]
    """`strategy=option` of everything that changes against today; empty for a fleet."""
    cost_usd_per_month: float
    misses: tuple[Miss, ...]
    """The requirements that it does not keep; it keeps all others."""
    text: str


class Conflict(Result):
    """Requirements that cannot hold together."""

    requirements: tuple[str, ...]
    """A minimal set: without any one of them the others can be met."""
    repairs: tuple[Repair, ...]
    """What is enough to change, the cheapest first; those that loosen a requirement many times over come last."""
    text: str
    best: NearestPlan | None = None
    """The best plan found; null where none comes near."""
