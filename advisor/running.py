"""What engines take while they run: machines that are paid for, money, electricity and carbon of a month."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from advisor import cost
from advisor.catalog import power_w
from advisor.following import machines_paid
from advisor.policies import Policy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from advisor.catalog import InstanceType
    from advisor.evaluation import Evaluation
    from advisor.terms import Terms


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


def one_time_usd(evaluation: Evaluation, rows: NDArray[np.int64], policy: Policy) -> NDArray[np.float64]:
    """Return what some engines take before they start, in USD: hours of accelerators and of engineers."""
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
