"""The requirements resolved for one workload: base units only, defaults filled in and named as assumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from advisor.latency import metric_and_statistic
from advisor.requirements import Requirements
from advisor.workload import Assumption, Workload

DEFAULT_LATENCIES_S = {
    "decoder": {"ttft_p99": 2.0, "tpot_p99": 0.1},
    "encoder": {"latency_p99": 0.5},
    "cnn": {"latency_p99": 0.5},
}
"""Assumed where nobody states a latency: what an interactive user takes for prompt."""
K = TypeVar("K")
V = TypeVar("V")
TIES = ("cost", "accuracy", "carbon")
"""What breaks ties after the goals that are stated."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What must hold, and what is made smallest.

    Args:
        latency_s: Largest latencies by name, such as `ttft_p99`.
        loss_ratio: Largest relative accuracy loss by class of task; `None` is the workload's own.
        totals: Largest `cost` (USD a month), `one-time` (USD) and `carbon` (kg a month).
        quotas: Most machines at a time, by name or id of the instance type.
        max_memory_bytes: Most accelerator memory of one replica.
        min_requests_per_s: Rate that the plan must carry at all hours.
        confidence: Probability with which the limits must hold; on average where `None`.
        objective: Goals, ties of each broken by the next.
        assumptions: What was filled in.
    """

    latency_s: Mapping[str, float] = field(default_factory=dict)
    loss_ratio: Mapping[str | None, float] = field(default_factory=dict)
    totals: Mapping[str, float] = field(default_factory=dict)
    quotas: Mapping[str, int] = field(default_factory=dict)
    max_memory_bytes: float | None = None
    min_requests_per_s: float = 0.0
    confidence: float | None = None
    objective: tuple[str, ...] = TIES
    assumptions: tuple[Assumption, ...] = ()

    @property
    def latency_limits(self) -> dict[tuple[str, str], float]:
        """Largest latencies in seconds by (metric, statistic), as the performance model names them."""
        return {metric_and_statistic(name): limit for name, limit in self.latency_s.items()}

    def with_latency(self, name: str, limit_s: float | None) -> Terms:
        """Return the terms with another limit on one latency, or none."""
        return replace(self, latency_s=_changed(self.latency_s, name, limit_s))

    def with_loss(self, task: str | None, limit_ratio: float | None) -> Terms:
        """Return the terms with another limit on one accuracy loss, or none."""
        return replace(self, loss_ratio=_changed(self.loss_ratio, task, limit_ratio))

    def with_total(self, name: str, bound: float | None) -> Terms:
        """Return the terms with another bound on a total, or none."""
        return replace(self, totals=_changed(self.totals, name, bound))

    def with_quota(self, name: str, most: int | None) -> Terms:
        """Return the terms with another quota of one instance type, or none."""
        return replace(self, quotas=_changed(self.quotas, name, most))

    def with_memory(self, most_bytes: float | None) -> Terms:
        """Return the terms with another limit on the memory of a replica, or none."""
        return replace(self, max_memory_bytes=most_bytes)


def _changed(mapping: Mapping[K, V], key: K, value: V | None) -> dict[K, V]:
    rest = {name: kept for name, kept in mapping.items() if name != key}
    return rest if value is None else {**rest, key: value}


def resolve(workload: Workload, requirements: Requirements) -> Terms:
    """Return what must hold for a workload: what the requirements say, else the workload's own limits, else the default.

    Raises:
        InputError: A limit cannot be met by this kind of model, or is in points of an accuracy that nobody states.
    """
    stated = {str(name): limit for name, limit in requirements.with_limits(workload).latency.items()}
    default = {} if stated else DEFAULT_LATENCIES_S[workload.model.family]
    assumed = tuple(
        Assumption(
            f"limits.{name}",
            f"{limit:g} s",
            "nobody states a latency; an interactive user takes it for prompt",
        )
        for name, limit in default.items()
    )
    return Terms(
        latency_s={**stated, **default},
        loss_ratio=requirements.accuracy_limits(workload),
        totals=requirements.limited_attributes(),
        quotas=dict(requirements.quotas),
        max_memory_bytes=requirements.max_memory_bytes,
        min_requests_per_s=requirements.min_requests_per_s(workload),
        confidence=requirements.confidence,
        objective=tuple(dict.fromkeys((*requirements.objective, *TIES))),
        assumptions=assumed,
    )
