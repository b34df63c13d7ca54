"""From engines to plans: replicas hour by hour under each policy, the machines they need, money, energy and carbon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from advisor import cost
from advisor.catalog import power_w
from advisor.following import machines_paid
from advisor.strategy import Purchase, Scaling

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from advisor.candidates import Block
    from advisor.catalog import InstanceType
    from advisor.evaluation import Evaluation
    from advisor.terms import Terms

TAIL = {"p50": 0.5, "p90": 0.1, "p95": 0.05, "p99": 0.01, "mean": 0.01}
"""Share of requests that may be late without moving a statistic; a mean is treated like the 99th percentile."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How replicas scale and are bought, and what setting that up takes."""

    scaling: Scaling
    purchase: Purchase
    cost_ratio: float
    gpu_hours: float
    engineer_hours: float
    running_usd_per_month: float
    target_utilization_ratio: float = 1.0
    """Share of a replica's capacity that scaling aims at; 1 where the limits alone decide."""


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
    for policy, rows, numbers in _by_policy(evaluation, engines):
        if _keeps_cold_starts(evaluation, policy, terms):
            parts.append(_under(evaluation, rows, numbers, capacity[rows], policy, terms, paid))
    if not parts:
        parts.append(_under(evaluation, engines[:0], engines[:0], capacity[engines[:0]], _TODAY, terms, paid))
    return joined(parts)


Paid = dict[tuple[float, bytes], "NDArray[np.float64]"]
"""Machines that are paid for under a policy that follows the load, by target utilisation and engines."""
FOLLOWS: tuple[Scaling, ...] = ("reactive", "scale-to-zero")
"""Policies under which the number of replicas follows the rate that is seen."""
_TODAY = Policy("static", "on-demand", 1.0, 0.0, 0.0, 0.0)


def policies(evaluation: Evaluation, block: Block) -> tuple[Policy, ...]:
    """Return the policies of a block, one for each row of `block.policies`."""
    today = evaluation.workload.serving
    found = []
    for row in block.policies:
        deltas = [axis.options[i].deltas for axis, i in zip(block.policy_axes, row, strict=True)]
        purchase = next((d.purchase for d in deltas if d.purchase), today.purchase)
        scaling = next((d.scaling for d in deltas if d.scaling), None)
        found.append(
            Policy(
                scaling=scaling or today.scaling,
                purchase=purchase if purchase in block.instance_type.prices else "on-demand",
                cost_ratio=float(np.prod([d.cost_ratio for d in deltas])),
                gpu_hours=sum(d.gpu_hours for d in deltas),
                engineer_hours=sum(d.engineer_hours for d in deltas),
                running_usd_per_month=sum(d.running_usd_per_month for d in deltas),
                target_utilization_ratio=1.0 if scaling else today.target_utilization or 1.0,
            )
        )
    return tuple(found)


def _by_policy(
    evaluation: Evaluation, engines: NDArray[np.int64]
) -> list[tuple[Policy, NDArray[np.int64], NDArray[np.int64]]]:
    """Return each distinct policy with the engines that may run under it, and its number in each engine's block."""
    grouped: dict[tuple[Policy, int], tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]]] = {}
    for number, block in enumerate(evaluation.candidates.blocks):
        mine = engines[evaluation.engines.block[engines] == number]
        if not len(mine):
            continue
        for index, policy in enumerate(policies(evaluation, block)):
            rows = mine[block.engines_under(index)[evaluation.engines.row[mine]]]
            found = grouped.setdefault((policy, index), ([], []))
            found[0].append(rows)
            found[1].append(np.full(len(rows), index))
    return [
        (policy, np.concatenate(rows), np.concatenate(numbers))
        for (policy, _), (rows, numbers) in grouped.items()
    ]


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


def _keeps_cold_starts(evaluation: Evaluation, policy: Policy, terms: Terms) -> bool:
    """Return whether cold starts after idle hours stay outside every limited percentile."""
    rates = evaluation.periods.requests_per_s
    woken = (rates > 0.0) & (np.roll(rates, 1) == 0.0)
    if policy.scaling != "scale-to-zero" or not woken.any():
        return True
    start = float(cost.start_s(np.array(evaluation.workload.model.parameters)))
    late = float((rates[woken] * np.minimum(start, 3600.0)).sum() / (rates * 3600.0).sum())
    return all(late < TAIL[statistic] for _, statistic in terms.latency_limits)


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
    one_time = _one_time_usd(evaluation, rows, policy)
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


def paid_instances(
    evaluation: Evaluation,
    rows: NDArray[np.int64],
    capacity: NDArray[np.float64],
    policy: Policy,
    terms: Terms,
) -> NDArray[np.float64]:
    """Return the machines of some engines that an autoscaler pays for on average; see `advisor.following`."""
    each = evaluation.serving.replica.per_instance[rows]
    least = cost.replicas(
        np.full((len(rows), 1), terms.min_requests_per_s), capacity_requests_per_s=capacity, at_least=1
    )
    return machines_paid(
        evaluation.periods,
        capacity_requests_per_s=capacity * policy.target_utilization_ratio,
        per_instance=each,
        at_least=np.ceil(least[:, 0] / each - 1e-9),
        dispersion=evaluation.workload.traffic.arrival_cv**2,
    )


def following_usd_per_month(
    evaluation: Evaluation,
    rows: NDArray[np.int64],
    policy: Policy,
    instances: NDArray[np.float64],
    paid: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return what some engines' machines cost in a month beyond those of the plan, bought by the hour on demand, in USD."""
    if paid is instances:
        return np.zeros(len(rows))
    hours, price = evaluation.periods.hours_per_month, prices_of(evaluation, rows, policy)
    reserved, spot = cost.purchases(instances, hours, price)
    there = reserved[:, None] + spot
    more = np.maximum(paid - there, 0.0) - np.maximum(instances - there, 0.0)
    ratio = evaluation.engines.values["cost_ratio"][rows] * policy.cost_ratio
    return np.asarray(more @ hours * price.on_demand * ratio, dtype=np.float64)


def machine_usd_per_month(
    evaluation: Evaluation, rows: NDArray[np.int64], policy: Policy, instances: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return what the machines of some engines cost in a month, in USD."""
    price = prices_of(evaluation, rows, policy)
    ratio = evaluation.engines.values["cost_ratio"][rows] * policy.cost_ratio
    return cost.machine_usd_per_month(instances, evaluation.periods.hours_per_month, price) * ratio


def prices_of(evaluation: Evaluation, rows: NDArray[np.int64], policy: Policy) -> cost.Prices:
    """Return the effective prices of the machines of some engines."""
    by_block = cost.prices(
        machines(evaluation), policy.purchase, horizon_months=evaluation.workload.horizon_months
    )
    return by_block.take(evaluation.engines.block[rows])


def machines(evaluation: Evaluation) -> list[InstanceType]:
    """Return the machine of each block."""
    return [block.instance_type for block in evaluation.candidates.blocks]


def _one_time_usd(evaluation: Evaluation, rows: NDArray[np.int64], policy: Policy) -> NDArray[np.float64]:
    values = evaluation.engines.values
    gpu = (values["gpu_hours"][rows] + policy.gpu_hours) * evaluation.gpu_hour_usd
    return (
        gpu
        + (values["engineer_hours"][rows] + policy.engineer_hours) * evaluation.workload.engineer_usd_per_h
    )


def electricity_usd_per_month(
    evaluation: Evaluation, rows: NDArray[np.int64], energy_kwh: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return what the electricity of owned machines costs in a month, in USD: today's machine, where its price is stated."""
    workload = evaluation.workload
    if workload.energy_usd_per_kwh is None:
        return np.zeros(len(rows))
    owned = np.array([machine.name == workload.serving.instance_type for machine in machines(evaluation)])
    return np.where(owned[evaluation.engines.block[rows]], energy_kwh * workload.energy_usd_per_kwh, 0.0)


def energy_and_carbon(
    evaluation: Evaluation,
    rows: NDArray[np.int64],
    capacity: NDArray[np.float64],
    instances: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return electricity with cooling, in kWh a month, and its emissions, in kg CO2e a month.

    Every machine draws its idle power; the rest of its power is in proportion to the work done.
    """
    offered = machines(evaluation)
    grids = [evaluation.catalog.carbon(machine.provider, machine.region) for machine in offered]
    idle = np.array([power_w(machine, 0.0) for machine in offered])
    full = np.array([power_w(machine, 1.0) for machine in offered])
    block = evaluation.engines.block[rows]
    busy = (
        evaluation.periods.requests_per_s
        / (capacity * evaluation.serving.replica.per_instance[rows])[:, None]
    )
    watts = instances * idle[block][:, None] + np.minimum(busy, instances) * (full - idle)[block][:, None]
    energy = (
        watts @ evaluation.periods.hours_per_month / 1000.0 * np.array([grid.pue for grid in grids])[block]
    )
    return energy, energy * np.array([grid.g_co2e_per_kwh for grid in grids])[block] / 1000.0
