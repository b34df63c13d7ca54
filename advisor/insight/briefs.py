"""Plans in a few numbers, many at once: one call of the latency model for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from advisor import cost
from advisor.explanation import chosen_options
from advisor.formulation import load_of_a_replica, machine_of, policy_of
from advisor.insight.results import ChosenOption, PlanBrief
from advisor.latency import metric_and_statistic
from advisor.strategy import NONE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from advisor.evaluation import Evaluation
    from advisor.plans import Plans
    from advisor.terms import Terms


def briefs(evaluation: Evaluation, plans: Plans, terms: Terms) -> tuple[PlanBrief, ...]:
    """Return each plan in a few numbers, in the order given."""
    if not len(plans):
        return ()
    slowest = limited_latencies(evaluation, plans, terms)
    return tuple(_brief(evaluation, plans, at, terms, slowest) for at in range(len(plans)))


def running_usd_per_month(evaluation: Evaluation, plans: Plans) -> NDArray[np.float64]:
    """Return the cost of plans without their one-time cost, in USD per month."""
    months = evaluation.workload.horizon_months
    return plans.cost_usd_per_month - cost.amortised_usd_per_month(plans.one_time_usd, horizon_months=months)


def limited_latencies(evaluation: Evaluation, plans: Plans, terms: Terms) -> dict[str, NDArray[np.float64]]:
    """Return the limited latencies of plans in their slowest period, in seconds; infinite where overloaded."""
    used = np.flatnonzero(evaluation.periods.requests_per_s > 0.0)
    loads = [load_of_a_replica(evaluation, plans, int(period)) for period in used]
    rates, cvs = (np.stack(column) for column in zip(*loads, strict=True))
    serving = evaluation.serving.take(np.tile(plans.engine, len(used)))
    found = serving.latency(rates.ravel(), arrival_cv=cvs.ravel())
    slowest = {}
    for name in terms.latency_s:
        metric, statistic = metric_and_statistic(name)
        slowest[name] = found[metric][statistic].reshape(rates.shape).max(axis=0)
    return slowest


def _brief(
    evaluation: Evaluation,
    plans: Plans,
    at: int,
    terms: Terms,
    slowest: dict[str, NDArray[np.float64]],
) -> PlanBrief:
    machine, policy = machine_of(evaluation, plans, at), policy_of(evaluation, plans, at)
    limit = terms.loss_ratio.get(None)
    treatment = int(evaluation.engines.treatment[plans.engine[at]])
    return PlanBrief(
        instance_type=machine.name,
        provider=machine.provider,
        region=machine.region,
        replicas_peak=int(plans.replicas[at].max()),
        instances_peak=int(plans.instances[at].max()),
        scaling=policy.scaling,
        purchase=policy.purchase,
        choices=changes(evaluation, plans, at),
        cost_usd_per_month=float(plans.cost_usd_per_month[at]),
        running_usd_per_month=float(running_usd_per_month(evaluation, plans)[at]),
        one_time_usd=float(plans.one_time_usd[at]),
        loss_expected_ratio=float(plans.loss_ratio[at]),
        probability_kept=None if limit is None else evaluation.kept_promise(treatment, limit),
        latency_s={
            name: float(values[at]) if np.isfinite(values[at]) else None for name, values in slowest.items()
        },
        carbon_kg_per_month=float(plans.carbon_kg_per_month[at]),
    )


def changes(evaluation: Evaluation, plans: Plans, at: int) -> tuple[ChosenOption, ...]:
    """Return what a plan changes against today, but for the machine."""
    return tuple(
        ChosenOption(strategy=strategy, option=option.id, title=option.title)
        for strategy, option in chosen_options(evaluation, plans, at)
        if option.id != NONE
    )
