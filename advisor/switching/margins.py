"""What a change must save beyond what it costs, because predictions are not measurements."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from advisor import cost
from advisor.formulation import machine_of, policy_of
from advisor.plans import Plans, plans_at
from advisor.running import prices_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from advisor.evaluation import Evaluation
    from advisor.recommendation import ServicePlan
    from advisor.terms import Terms

WORST_RATIO = 2.0
"""Assumed: a bad outcome takes at most this many times the machines; where the limits then hold with no number of
them, the change is taken back."""


def margins_usd_per_month(
    evaluation: Evaluation,
    plans: Plans,
    terms: Terms,
    *,
    kept: int,
    tolerance_ratio: float,
    sure_ratio: float,
) -> NDArray[np.float64]:
    r"""Return what each candidate must save beyond its cost to be worth a change, in USD a month; 0 for the one in service.

    $$\tau C + \min(c_{90} - c, (W - 1) c) \;[\text{another engine}]$$

    with the tolerance τ, the running cost C in service, and the machines' cost c of the candidate, which is $c_{90}$
    where everything takes longer than predicted by a factor that is exceeded one time in ten. A candidate with the engine in service,
    bought or scaled differently, is as fast as it is today: nothing about its speed is uncertain. The margin of an
    engine is the same from wherever one comes, so it cannot pay to reach it in two steps.

    Args:
        evaluation: Of the candidates.
        plans: Candidates within the limits.
        terms: Limits; with a confidence of their own they are kept in bad outcomes already.
        kept: Position of the candidate in service.
        tolerance_ratio: Share τ of the running cost that is not worth a change.
        sure_ratio: Probability with which the saving must be real.
    """
    running = float(plans.cost_usd_per_month[kept])
    margin = np.full(len(plans), tolerance_ratio * running)
    other = plans.engine != plans.engine[kept]
    if sure_ratio > (terms.confidence or 0.5) and other.any():
        machines = plans.machine_usd_per_month
        bad = _machines_usd_per_month(evaluation, plans, terms, sure_ratio)
        margin += np.where(other, np.clip(bad - machines, 0.0, (WORST_RATIO - 1.0) * machines), 0.0)
    margin[kept] = 0.0
    return margin


def _machines_usd_per_month(
    evaluation: Evaluation, plans: Plans, terms: Terms, sure_ratio: float
) -> NDArray[np.float64]:
    r"""Return what the machines cost where everything takes longer than predicted by its error at a probability.

    A queue whose times are all longer by s carries $\\lambda(L/s)/s$ within limits L where it carried $\\lambda(L)$.
    """
    engines = np.unique(plans.engine)
    keep = np.zeros(len(evaluation.engines), dtype=bool)
    keep[engines] = True
    capacity = evaluation.capacity_requests_per_s(terms.latency_limits, keep, confidence=sure_ratio)
    replica = evaluation.serving.replica
    step = "tpot" if "tpot" in evaluation.serving.metrics else "e2e"
    slower = np.exp(NormalDist().inv_cdf(sure_ratio) * replica.log_sigma[step, "p50"])
    found = plans_at(evaluation, terms, np.maximum(capacity / slower[:, None], 1e-9), engines)
    at = {pair: number for number, pair in enumerate(_pairs(found))}
    return np.asarray(found.machine_usd_per_month[[at[pair] for pair in _pairs(plans)]], dtype=np.float64)


def _pairs(plans: Plans) -> list[tuple[int, int]]:
    return list(zip(plans.engine.tolist(), plans.policy.tolist(), strict=True))


def idle_usd(
    evaluation: Evaluation, plans: Plans, stored: ServicePlan, *, months_left: float
) -> NDArray[np.float64]:
    r"""Return what is left to pay for reserved machines that each candidate leaves idle, in USD.

    $$\min(l, m) \left( n p_r H + c((u_t - n)^+) - c(u_t) \right)^+$$

    with n machines reserved at $p_r$ for l more months of the horizon m, the candidate's machines $u_t$ of that type,
    and their cost c under the cheapest purchases: what owning the n machines costs more than buying as if there were
    none. All is left to pay where the candidate runs on another machine.

    Args:
        evaluation: Of the candidates.
        plans: Candidates.
        stored: The service in service, with what it reserved.
        months_left: Months l that remain to be paid.
    """
    lines = [line for line in stored.purchases if line.plan.startswith("reserved")]
    months = min(months_left, evaluation.workload.horizon_months)
    if not lines or months <= 0.0:
        return np.zeros(len(plans))
    count = float(sum(line.instances_peak for line in lines))
    due = sum(line.instances_peak * line.usd_per_h for line in lines) * cost.HOURS_PER_MONTH
    extra = np.full(len(plans), due)
    mine = (stored.instance_type, stored.provider, stored.region)
    for position in range(len(plans)):
        machine = machine_of(evaluation, plans, position)
        if (machine.name, machine.provider, machine.region) == mine:
            extra[position] += _beside_usd(evaluation, plans, position, count)
    return np.asarray(months * np.maximum(extra, 0.0), dtype=np.float64)


def _beside_usd(evaluation: Evaluation, plans: Plans, position: int, count: float) -> float:
    """Return what a candidate's machines cost beside some that are there already, less what all of them would cost."""
    policy, engine = policy_of(evaluation, plans, position), plans.engine[position : position + 1]
    price, hours = prices_of(evaluation, engine, policy), evaluation.periods.hours_per_month
    use = plans.instances[position : position + 1]
    ratio = float(evaluation.engines.values["cost_ratio"][engine][0]) * policy.cost_ratio
    left = cost.machine_usd_per_month(np.maximum(use - count, 0.0), hours, price)
    return float(left[0] - cost.machine_usd_per_month(use, hours, price)[0]) * ratio
