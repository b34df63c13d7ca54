"""A candidate on its machines: latencies against their limits, replicas and purchases."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, isfinite
from typing import TYPE_CHECKING

import numpy as np

from advisor import cost
from advisor.explanation.losses import accuracy_loss
from advisor.explanation.options import choices
from advisor.formulation import busiest_rate, load_of_a_replica, machine_of, policy_of, ways_to_buy
from advisor.plans import Plans
from advisor.recommendation import (
    Deployment,
    LatencyCheck,
    PurchaseLine,
    ServicePlan,
)
from advisor.running import prices_of

if TYPE_CHECKING:
    from advisor.catalog import InstanceType
    from advisor.evaluation import Evaluation

P90_Z = 1.2815515655446004


def latencies(evaluation: Evaluation, plans: Plans, position: int) -> dict[str, tuple[float, float]]:
    """Return each latency in its slowest period, in seconds, with the standard deviation of its logarithm."""
    one = plans.take(np.array([position]))
    used = np.flatnonzero(evaluation.periods.requests_per_s > 0.0)
    loads = [load_of_a_replica(evaluation, one, int(period)) for period in used]
    serving = evaluation.serving.take(np.repeat(one.engine, len(used)))
    rates, cvs = (np.concatenate(column) for column in zip(*loads, strict=True))
    found = serving.latency(rates, arrival_cv=cvs)
    names = {"ttft": "ttft", "tpot": "tpot", "e2e": "latency"}
    return {
        f"{names[metric]}_{statistic}": (
            float(found[metric][statistic].max()),
            float(serving.replica.log_sigma[metric, statistic][0]),
        )
        for metric in serving.metrics
        for statistic in ("mean", "p50", "p90", "p95", "p99")
    }


def latency_checks(
    predicted: Mapping[str, tuple[float, float]],
    *,
    limits_s: Mapping[str, float],
    today: Mapping[str, tuple[float, float]],
) -> tuple[LatencyCheck, ...]:
    """Return the limited latencies, and the 50th and 99th percentile of the others, against limit and today."""
    shown = [name for name in predicted if name in limits_s or name.endswith(("_p50", "_p99"))]
    return tuple(_check(name, predicted[name], limits_s.get(name), today.get(name)) for name in shown)


def _check(
    name: str, predicted: tuple[float, float], limit_s: float | None, today: tuple[float, float] | None
) -> LatencyCheck:
    value, sigma = predicted
    stable = isfinite(value)
    return LatencyCheck(
        metric=name,
        predicted_s=value if stable else None,
        p10_s=value * exp(-P90_Z * sigma) if stable else None,
        p90_s=value * exp(P90_Z * sigma) if stable else None,
        limit_s=limit_s,
        today_s=today[0] if today and isfinite(today[0]) else None,
    )


def purchase_lines(evaluation: Evaluation, plans: Plans, position: int) -> tuple[PurchaseLine, ...]:
    """Return the machines of a candidate by the way they are bought, under the cheapest split.

    Hours on demand are those that are paid for on average; see `advisor.following`.
    """
    machine, policy = machine_of(evaluation, plans, position), policy_of(evaluation, plans, position)
    ratio = float(evaluation.engines.values["cost_ratio"][plans.engine[position]]) * policy.cost_ratio
    hours = evaluation.periods.hours_per_month
    usd = ways_to_buy(evaluation, plans, position)
    use = plans.instances[position : position + 1]
    reserved, spot = cost.purchases(
        use, hours, prices_of(evaluation, plans.engine[position : position + 1], policy)
    )
    there = reserved[:, None] + spot
    on_demand = np.maximum(use - there, 0.0)[0]
    paid = np.maximum(plans.paid_instances[position] - there[0], 0.0)
    kept = np.repeat(reserved, len(hours))
    committed = policy.purchase if policy.purchase.startswith("reserved") else "reserved"
    bought = {"on-demand": (on_demand, paid), "spot": (spot[0], spot[0]), committed: (kept, kept)}
    return tuple(
        _line(machine, plan, usd[plan] * ratio, float(count @ hours), peak=int(planned.max()))
        for plan, (planned, count) in bought.items()
        if count.any()
    )


def _line(
    machine: InstanceType, plan: str, usd_per_h: float, instance_hours: float, *, peak: int
) -> PurchaseLine:
    price = machine.prices[plan]
    return PurchaseLine(
        plan=plan,
        usd_per_h=usd_per_h,
        instances_peak=max(peak, 1),
        instance_hours_per_month=instance_hours,
        cost_usd_per_month=instance_hours * usd_per_h,
        price_kind=price.kind,
        price_date=price.date,
        price_source=price.source,
    )


def deployment_fields(
    evaluation: Evaluation,
    plans: Plans,
    position: int,
    *,
    checks: tuple[LatencyCheck, ...],
    carries: bool = True,
) -> dict[str, object]:
    """Return the fields of a `Deployment` for a candidate."""
    machine, policy = machine_of(evaluation, plans, position), policy_of(evaluation, plans, position)
    replica, row = evaluation.serving.replica, int(plans.engine[position])
    capacity = float(plans.capacity_requests_per_s[position])
    busiest = float(busiest_rate(evaluation, plans.take(np.array([position])))[0])
    return {
        "name": evaluation.workload.name,
        "instance_type": machine.name,
        "provider": machine.provider,
        "region": machine.region,
        "accelerator": f"{machine.accelerator_count} x {machine.accelerator.name}",
        "accelerators_per_replica": int(replica.accelerators[row]),
        "replicas_peak": int(plans.replicas[position].max()),
        "instances_peak": int(plans.instances[position].max()),
        "replicas_by_period": tuple(int(count) for count in plans.replicas[position]),
        "instances_by_period": tuple(int(count) for count in plans.instances[position]),
        "capacity_requests_per_s": capacity if carries else None,
        "utilization_peak_ratio": busiest / capacity if carries else None,
        "scaling": policy.scaling,
        "purchase": policy.purchase,
        "purchases": purchase_lines(evaluation, plans, position),
        "latencies": checks,
        "calibrated": bool(replica.calibrated[row]),
        "calibration": evaluation.calibration_words(row),
    }


def deployment(
    evaluation: Evaluation, plans: Plans, *, checks: tuple[LatencyCheck, ...], carries: bool
) -> Deployment:
    """Return the first candidate as a deployment."""
    return Deployment.model_validate(deployment_fields(evaluation, plans, 0, checks=checks, carries=carries))


def service_plan(
    evaluation: Evaluation,
    plans: Plans,
    position: int,
    *,
    checks: tuple[LatencyCheck, ...],
    limits_ratio: Mapping[str | None, float],
) -> ServicePlan:
    """Return a candidate as what is recommended for one service."""
    row = int(plans.engine[position])
    treatment = int(evaluation.engines.treatment[row])
    return ServicePlan.model_validate(
        {
            **deployment_fields(evaluation, plans, position, checks=checks),
            "choices": choices(evaluation, plans, position),
            "accuracy_loss": accuracy_loss(evaluation, treatment, limits_ratio=limits_ratio),
            "memory_gib_per_replica": float(evaluation.serving.replica.memory_bytes[row]) / 2.0**30,
        }
    )
