"""What serves the workload today, evaluated with the same models as every candidate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from advisor.candidates import compose
from advisor.cost import level_of
from advisor.evaluation import Evaluation
from advisor.plans import Plans, plans_at
from advisor.requirements import Requirements
from advisor.running import (
    electricity_usd_per_month,
    energy_and_carbon,
    following_usd_per_month,
    machine_usd_per_month,
)
from advisor.terms import Terms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from advisor.alike import Alike
    from advisor.calibration import Calibration
    from advisor.catalog import Catalog
    from advisor.strategy import Strategy
    from advisor.workload import Workload


@dataclass(frozen=True, slots=True)
class Today:
    """Today's deployment as the one candidate of an evaluation.

    Args:
        evaluation: Holds the engine and the policy of today alone.
        plan: One entry; its machines are those the user counted, or what the policy needs where none were given.
        keeps_limits: Whether its replicas carry the busiest period within the latency limits, as predicted.
    """

    evaluation: Evaluation
    plan: Plans
    keeps_limits: bool


def today(
    workload: Workload,
    terms: Terms,
    catalog: Catalog,
    strategies: Sequence[Strategy],
    calibration: Calibration | None = None,
    alike: Alike | None = None,
) -> Today:
    """Return today's deployment evaluated: machines, money, and whether it keeps the limits."""
    machine = catalog.instance(
        workload.serving.instance_type, workload.serving.provider, workload.serving.region
    )
    nothing = Requirements(without=("*",))

    def made() -> Evaluation:
        candidates = compose(workload, nothing, strategies, [machine])
        return Evaluation(workload, catalog, candidates, calibration=calibration)

    found = alike.evaluation(workload, nothing, strategies, [machine], made) if alike else made()
    return today_in(found, terms)


def today_in(evaluation: Evaluation, terms: Terms) -> Today:
    """Return today's deployment, the one candidate of an evaluation, with the machines that it has."""
    everything = np.ones(1, dtype=bool)
    within = evaluation.capacity_requests_per_s(terms.latency_limits, everything, confidence=None)
    capacity = within
    if not (within > 0.0).all():
        stable = evaluation.capacity_requests_per_s({}, everything, confidence=None)
        capacity = np.where(within > 0.0, within, np.maximum(stable, 1e-9))
    plan = plans_at(evaluation, terms, capacity, np.array([0]))
    instances = evaluation.workload.serving.instances
    if instances is not None:
        plan = _counted(evaluation, plan, float(instances))
    carried = within[0][level_of(plan.replicas[0], within.shape[1])]
    enough = evaluation.periods.requests_per_s <= plan.replicas[0] * carried * (1.0 + 1e-9)
    return Today(evaluation, plan, bool(enough.all()))


def _counted(evaluation: Evaluation, plan: Plans, instances: float) -> Plans:
    """Return the plan with the machines that the user says there are: all the time, or at most that many."""
    policy = evaluation.policies[0][0]
    count = paid = np.full_like(plan.instances, instances)
    if policy.scaling != "static":
        count, paid = np.minimum(plan.instances, instances), np.minimum(plan.paid_instances, instances)
    energy, carbon = energy_and_carbon(evaluation, plan.engine, plan.capacity_requests_per_s, paid)
    following = following_usd_per_month(evaluation, plan.engine, policy, count, paid)
    return Plans(
        engine=plan.engine,
        policy=plan.policy,
        capacity_requests_per_s=plan.capacity_requests_per_s,
        replicas=count * evaluation.serving.replica.per_instance[0],
        instances=count,
        paid_instances=paid,
        machine_usd_per_month=machine_usd_per_month(evaluation, plan.engine, policy, count),
        following_usd_per_month=following,
        own_usd_per_month=following + electricity_usd_per_month(evaluation, plan.engine, energy),
        one_time_usd=np.zeros(1),
        loss_ratio=np.zeros(1),
        carbon_kg_per_month=carbon,
        energy_kwh_per_month=energy,
    )
