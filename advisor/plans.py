"""From engines to plans: replicas hour by hour under each policy, and what they need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from advisor import cost
from advisor.policies import FOLLOWS, TODAY, Policy, by_policy, keeps_cold_starts
from advisor.running import (
    electricity_usd_per_month,
    energy_and_carbon,
    following_usd_per_month,
    machine_usd_per_month,
    one_time_usd,
    paid_instances,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from advisor.evaluation import Evaluation
    from advisor.terms import Terms


Paid = dict[tuple[float, bytes], "NDArray[np.float64]"]
"""Machines that are paid for under a policy that follows the load, by target utilisation and engines."""


@dataclass(frozen=True, slots=True)
class Plans:
    """Candidates with their machines and money; one entry for each.

    Args:
        engine: Position in the evaluation's engines.
        policy: Row in the policies of the engine's block.
        capacity_requests_per_s: Highest rate of one replica within the limits, with as many as in the busiest period.
        replicas: In each period, shape (candidates, periods).
        instances: Machines in each period, shape (candidates, periods).
        paid_instances: Machines that are paid for on average in each period, shape (candidates, periods): more than
            `instances` where a policy that follows the load starts some in vain, fewer where it is late on a rise.
        machine_usd_per_month: Machines alone, under the cheapest split of purchases, if `instances` were paid for.
        following_usd_per_month: What `paid_instances` cost beyond that, by the hour and on demand.
        own_usd_per_month: What belongs to the candidate alone: amortised one-time cost, fees, and what following the
            load costs.
        one_time_usd: Retraining, calibration and working hours.
        loss_ratio: Expected accuracy loss.
        carbon_kg_per_month: Operational emissions.
        energy_kwh_per_month: Electricity, cooling included.
    """

    engine: NDArray[np.int64]
    policy: NDArray[np.int64]
    capacity_requests_per_s: NDArray[np.float64]
    replicas: NDArray[np.float64]
    instances: NDArray[np.float64]
    paid_instances: NDArray[np.float64]
    machine_usd_per_month: NDArray[np.float64]
    following_usd_per_month: NDArray[np.float64]
    own_usd_per_month: NDArray[np.float64]
    one_time_usd: NDArray[np.float64]
    loss_ratio: NDArray[np.float64]
    carbon_kg_per_month: NDArray[np.float64]
    energy_kwh_per_month: NDArray[np.float64]

    @property
    def cost_usd_per_month(self) -> NDArray[np.float64]:
        """Machines, amortised one-time cost and fees, in USD per month."""
        return self.machine_usd_per_month + self.own_usd_per_month

    def __len__(self) -> int:
        """Return the number of candidates."""
        return len(self.engine)

    def take(self, keep: NDArray[Any]) -> Plans:
        """Return the candidates at those positions, or where a mask is true."""
        return Plans(*(getattr(self, name)[keep] for name in self.__dataclass_fields__))


def joined(parts: list[Plans]) -> Plans:
    """Return several sets of candidates as one, in their order."""
    return Plans(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in Plans.__dataclass_fields__)
    )


def feasible_plans(evaluation: Evaluation, terms: Terms, *, also: int | None = None) -> Plans:
    """Return every candidate that meets the terms of a single service, but for its totals, in a fixed order.

    Args:
        evaluation: Of the candidates.
        terms: What must hold.
        also: An engine to return, where it meets the terms, even if another is never worse.
    """
    keep = evaluation.accepted(terms)
    if terms.max_memory_bytes is not None:
        keep = keep & (evaluation.serving.replica.memory_bytes <= terms.max_memory_bytes)
    capacity = evaluation.capacity_requests_per_s(terms.latency_limits, keep, confidence=terms.confidence)
    engines = undominated(evaluation, capacity)
    if also is not None and (capacity[also] > 0.0).any():
        engines = np.union1d(engines, [also])
    return plans_at(evaluation, terms, capacity, engines)


def plans_at(
    evaluation: Evaluation, terms: Terms, capacity: NDArray[np.float64], engines: NDArray[np.int64]
) -> Plans:
    """Return some engines under every policy, each replica carrying at most its capacity.

    Args:
        evaluation: Of the engines.
        terms: For the rate that must be carried at all hours, and the limits that cold starts must keep.
        capacity: Highest rate of one replica, in requests per second, shape (engines of the evaluation, levels).
        engines: Positions of the engines to take.
    """
    parts = []
    paid: Paid = {}
    for policy, rows, numbers in by_policy(evaluation, engines):
        if keeps_cold_starts(evaluation, policy, terms):
            parts.append(_under(evaluation, rows, numbers, capacity[rows], policy, terms, paid))
    if not parts:
        parts.append(_under(evaluation, engines[:0], engines[:0], capacity[engines[:0]], TODAY, terms, paid))
    return joined(parts)


def undominated(evaluation: Evaluation, capacity: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the engines with a capacity, but for those that another of the same machine, replicas, treatment and costs beats.

    Safe for every objective: replicas fall with capacity, and the time to start rises with the bytes of the weights,
    so an engine is dropped only where a faster one has no more of them. Where a policy refuses some engines, nothing
    is dropped.
    """
    rows = np.flatnonzero((capacity > 0.0).any(axis=1))
    if not len(rows) or any(block.refused for block in evaluation.candidates.blocks):
        return rows
    replica, values = evaluation.serving.replica, evaluation.engines.values
    worse = np.column_stack([-capacity[rows], replica.weight_bytes_per_accelerator[rows]])
    same = np.stack(
        [
            evaluation.engines.block[rows].astype(float),
            replica.per_instance[rows],
            evaluation.engines.treatment[rows].astype(float),
            *(
                values[name][rows]
                for name in ("gpu_hours", "engineer_hours", "running_usd_per_month", "cost_ratio")
            ),
        ]
    )
    order = np.lexsort((*worse.T[::-1], *same))
    starts = np.concatenate([[True], (np.diff(same[:, order], axis=1) != 0.0).any(axis=0)])
    keep = starts.copy()
    frontier: list[list[float]] = []
    for position, (first, point) in enumerate(zip(starts.tolist(), worse[order].tolist(), strict=True)):
        if first:
            frontier = [point]
        elif not any(all(a <= b for a, b in zip(other, point, strict=True)) for other in frontier):
            frontier.append(point)
            keep[position] = True
    return np.sort(rows[order[keep]])


def _under(
    evaluation: Evaluation,
    rows: NDArray[np.int64],
    numbers: NDArray[np.int64],
    capacity: NDArray[np.float64],
    policy: Policy,
    terms: Terms,
    known: Paid,
) -> Plans:
    values, replica = evaluation.engines.values, evaluation.serving.replica
    covered = cost.covered_rates(
        evaluation.periods, policy.scaling, lag_s=cost.start_s(replica.weight_bytes_per_accelerator[rows])
    )
    at_least = 0 if policy.scaling == "scale-to-zero" else 1
    count = cost.replicas(
        np.maximum(covered / policy.target_utilization_ratio, terms.min_requests_per_s),
        capacity_requests_per_s=capacity,
        at_least=at_least,
    )
    instances = np.ceil(count / replica.per_instance[rows][:, None] - 1e-9)
    count = instances * replica.per_instance[rows][:, None]  # a machine that is paid for is filled
    one_time = one_time_usd(evaluation, rows, policy)
    own = cost.amortised_usd_per_month(one_time, horizon_months=evaluation.workload.horizon_months)
    levels = cost.level_of(count.max(axis=1, initial=0.0), capacity.shape[1])
    busiest = np.take_along_axis(capacity, levels[:, None], axis=1)[:, 0]
    paid = instances
    if policy.scaling in FOLLOWS and len(rows):  # the same however they are bought
        way = (policy.target_utilization_ratio, rows.tobytes())
        if way not in known:
            known[way] = paid_instances(evaluation, rows, capacity, policy, terms)
        paid = np.where(instances > 0.0, known[way], 0.0)
    following = following_usd_per_month(evaluation, rows, policy, instances, paid)
    energy, carbon = energy_and_carbon(evaluation, rows, busiest, paid)
    return Plans(
        engine=rows,
        policy=numbers,
        capacity_requests_per_s=busiest,
        replicas=count,
        instances=instances,
        paid_instances=paid,
        machine_usd_per_month=machine_usd_per_month(evaluation, rows, policy, instances),
        following_usd_per_month=following,
        own_usd_per_month=own
        + following
        + values["running_usd_per_month"][rows]
        + policy.running_usd_per_month
        + electricity_usd_per_month(evaluation, rows, energy),
        one_time_usd=one_time,
        loss_ratio=evaluation.expected_loss[evaluation.engines.treatment[rows]],
        carbon_kg_per_month=carbon,
        energy_kwh_per_month=energy,
    )
