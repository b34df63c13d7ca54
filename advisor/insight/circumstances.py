"""The same candidates under other circumstances: more traffic, other prices, other losses, a slower machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from advisor.conflict import meets_totals
from advisor.cost import level_of
from advisor.insight.space import MACHINE, admissible
from advisor.plans import Plans, plans_at, undominated
from advisor.variation import with_losses, with_traffic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from advisor.evaluation import Evaluation
    from advisor.insight.space import Space
    from advisor.terms import Terms


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What turns out differently; every default is as predicted.

    Args:
        traffic_ratio: Arrival rates in every period.
        price_ratio: Prices of all machines.
        own_price_ratio: Prices of the recommended machine alone.
        loss_ratio: Accuracy losses.
        slowness: Probability level of the latency error, 0.9 for latencies at their 90 % quantile; 0.5 as predicted.
    """

    traffic_ratio: float = 1.0
    price_ratio: float = 1.0
    own_price_ratio: float = 1.0
    loss_ratio: float = 1.0
    slowness: float = 0.5


def plans_in(space: Space, turn: Circumstances, *, only: int | None = None) -> Plans:
    """Return the plans that meet the requirements in some circumstances, at their prices.

    Args:
        space: Of the plans as predicted.
        turn: What turns out differently.
        only: Engine and policy of this plan alone, sized anew.
    """
    evaluation, terms = _varied(space, turn)
    keep = admissible(evaluation, terms)
    if only is not None:
        keep &= np.arange(len(keep)) == space.plans.engine[only]
    confidence = _confidence(terms, turn)
    capacity = evaluation.capacity_requests_per_s(terms.latency_limits, keep, confidence=confidence)
    plans = plans_at(evaluation, terms, capacity, undominated(evaluation, capacity))
    if only is not None:
        plans = plans.take(plans.policy == space.plans.policy[only])
    plans = priced(space, plans, turn)
    return plans.take(meets_totals(evaluation, plans, terms))


def _varied(space: Space, turn: Circumstances) -> tuple[Evaluation, Terms]:
    evaluation, terms = space.evaluation, space.terms
    if turn.traffic_ratio != 1.0:
        evaluation = with_traffic(evaluation, turn.traffic_ratio)
    if turn.loss_ratio != 1.0:
        tasks = tuple(task for task in terms.loss_ratio if task is not None)
        evaluation = with_losses(evaluation, turn.loss_ratio, tasks=tasks)
    return evaluation, terms


def _confidence(terms: Terms, turn: Circumstances) -> float | None:
    return terms.confidence if turn.slowness == 0.5 else turn.slowness


def priced(space: Space, plans: Plans, turn: Circumstances) -> Plans:
    """Return plans at the prices of some circumstances; the cheapest split of purchases stays the same for all prices alike."""
    machine = np.array([block.instance_type.id for block in space.evaluation.candidates.blocks])
    own = machine == space.codes[MACHINE][space.chosen]
    ratio = turn.price_ratio * np.where(own, turn.own_price_ratio, 1.0)
    block = space.evaluation.engines.block[plans.engine]
    return replace(plans, machine_usd_per_month=plans.machine_usd_per_month * ratio[block])


def cheapest_of(plans: Plans) -> Plans | None:
    """Return the cheapest of some plans, alone, ties broken by accuracy and carbon; `None` of none."""
    if not len(plans):
        return None
    order = np.lexsort((plans.carbon_kg_per_month, plans.loss_ratio, plans.cost_usd_per_month))
    return plans.take(order[:1])


def holds_as_sized(space: Space, turn: Circumstances) -> bool:
    """Return whether the recommended plan keeps its limits in some circumstances with the machines that it has."""
    evaluation, terms = _varied(space, turn)
    plan = space.plans.take(np.array([space.chosen]))
    keep = admissible(evaluation, terms) & (np.arange(len(evaluation.engines)) == plan.engine[0])
    capacity = evaluation.capacity_requests_per_s(
        terms.latency_limits, keep, confidence=_confidence(terms, turn)
    )[plan.engine[0]]
    rates = evaluation.periods.requests_per_s
    return bool(keep.any() and (rates <= carried(plan.replicas[0], capacity) * (1.0 + 1e-9)).all())


def carried(replicas: NDArray[np.float64], capacity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rate that some replicas carry together within the limits, in requests per second.

    Args:
        replicas: In each period.
        capacity: Of one replica at each level of `advisor.cost.SHARING`, in requests per second.

    Example:
        >>> carried(np.array([1.0, 3.0]), np.array([10.0, 12.0, 14.0, 15.0])).tolist()
        [10.0, 36.0]
    """
    return np.asarray(replicas * capacity[level_of(replicas, len(capacity))], dtype=np.float64)
