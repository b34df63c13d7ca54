"""Which machines with which options are worth mixing, and what each carries of each size of request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from advisor import cost
from advisor.evaluation import tightened
from advisor.explanation import chosen_options
from advisor.formulation import policy_of, pool_of, quota_groups
from advisor.plans import Plans, plans_at
from advisor.running import machines
from advisor.sizes import Sizes, Span, part_of, share_of
from advisor.solver import Bucket, Carrier, Mixing, Period

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from advisor.evaluation import Evaluation
    from advisor.preparation import Prepared
    from advisor.strategy import Option

CHEAPEST = 3
"""Machines kept for each range of sizes."""
PERIODS = 4
"""Periods in which instances are counted to find a mix; the mix found is evaluated in all of them."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Candidates worth mixing, each in its cheapest policy.

    Args:
        plans: One entry for each.
        spans: Buckets of requests, smallest first.
        capacity_requests_per_s: Most that one instance carries of each bucket within the limits, shape (candidates, buckets).
    """

    plans: Plans
    spans: tuple[Span, ...]
    capacity_requests_per_s: NDArray[np.float64]


def offer(one: Prepared, best: int, *, lossier: float = 1.0) -> Offer:
    """Return the candidates worth mixing: the cheapest for small requests up to some size, for large ones, and for all.

    Args:
        one: Service.
        best: Position of its cheapest plan.
        lossier: How many times the limit on accuracy a candidate may lose, as it serves a part of the requests.
    """
    evaluation, terms = one.evaluation, one.terms
    limit = terms.loss_ratio.get(None)
    keep = evaluation.accepted(terms if limit is None else terms.with_loss(None, lossier * limit))
    if terms.max_memory_bytes is not None:
        keep = keep & (evaluation.serving.replica.memory_bytes <= terms.max_memory_bytes)
    rows = np.flatnonzero(keep)
    spans = Sizes.of(evaluation.workload).buckets()
    level = int(cost.level_of(one.plans.replicas[best].max(), len(evaluation.arrival_cvs)))
    capacity = _capacity(one, rows, spans, level)
    per_instance = evaluation.serving.replica.per_instance[rows]
    chosen = np.unique(
        [*_worthwhile(evaluation, rows, capacity, spans), *np.flatnonzero(rows == one.plans.engine[best])]
    )
    plans = _cheapest_policies(one, rows[chosen], capacity[chosen], spans)
    kept = np.searchsorted(rows, plans.engine)
    return Offer(plans, spans, capacity[kept] * per_instance[kept, None])


def _capacity(
    one: Prepared, rows: NDArray[np.int64], spans: Sequence[Span], level: int
) -> NDArray[np.float64]:
    """Return the highest rate of one replica for each bucket, shape (rows, buckets), in requests per second.

    Each bucket alone keeps every limit; where all of them do, they are scaled so that together they are what the
    replica carries of the whole traffic.
    """
    evaluation, terms = one.evaluation, one.terms
    engines = evaluation.engines.take(rows)
    found = []
    for span in spans:
        serving = evaluation.serving_of(part_of(evaluation.workload, [span]), engines)
        limits = tightened(terms.latency_limits, serving, terms.confidence)
        found.append(serving.capacity_requests_per_s(limits, arrival_cv=evaluation.arrival_cvs[level]))
    capacity = np.stack(found, axis=1)
    keep = np.zeros(len(evaluation.engines), dtype=bool)
    keep[rows] = True
    whole = evaluation.capacity_requests_per_s(terms.latency_limits, keep, confidence=terms.confidence)[
        rows, level
    ]
    with np.errstate(divide="ignore", invalid="ignore"):
        together = 1.0 / (np.array([share_of([span]) for span in spans]) / capacity).sum(axis=1)
    known = (together > 0.0) & (whole > 0.0)
    return capacity * np.where(known, whole / np.where(known, together, 1.0), 1.0)[:, None]


def _worthwhile(
    evaluation: Evaluation, rows: NDArray[np.int64], capacity: NDArray[np.float64], spans: Sequence[Span]
) -> Iterator[int]:
    """Yield for each range of sizes the cheapest engine of each of the cheapest machines, counted in parts and in wholes."""
    price = np.array([machine.prices["on-demand"].usd_per_h for machine in machines(evaluation)])
    block = evaluation.engines.block[rows]
    usd = price[block] * evaluation.engines.values["cost_ratio"][rows]
    peak = evaluation.periods.peak_requests_per_s
    per_instance = evaluation.serving.replica.per_instance[rows]
    with np.errstate(divide="ignore", invalid="ignore"):
        load = peak * np.array([share_of([span]) for span in spans]) / (capacity * per_instance[:, None])
    for first, last in _ranges(len(spans)):
        parts = load[:, first:last].sum(axis=1)
        for instances in (parts, np.ceil(parts)):
            yield from _cheapest_by_block(instances * usd, parts * usd, block)


def _ranges(count: int) -> Iterator[tuple[int, int]]:
    yield from ((0, last) for last in range(1, count + 1))
    yield from ((first, count) for first in range(1, count))


def _cheapest_by_block(
    usd: NDArray[np.float64], tie: NDArray[np.float64], block: NDArray[np.int64]
) -> list[int]:
    order = np.lexsort((tie, usd))
    order = order[np.isfinite(usd[order])]
    _, first = np.unique(block[order], return_index=True)
    return [int(order[at]) for at in np.sort(first)[:CHEAPEST]]


def _cheapest_policies(
    one: Prepared, engines: NDArray[np.int64], capacity: NDArray[np.float64], spans: Sequence[Span]
) -> Plans:
    """Return each engine in the policy that is cheapest for what it can carry of the traffic."""
    evaluation = one.evaluation
    shares = np.array([share_of([span]) for span in spans])
    with np.errstate(divide="ignore"):
        busy = np.where(capacity > 0.0, shares / capacity, 0.0).sum(axis=1)
    whole = np.zeros((len(evaluation.engines), len(evaluation.arrival_cvs)))
    whole[engines] = (1.0 / busy)[:, None]
    plans = plans_at(evaluation, one.terms, whole, engines)
    order = np.lexsort((plans.policy, plans.cost_usd_per_month, plans.engine))
    _, first = np.unique(plans.engine[order], return_index=True)
    return plans.take(order[first])


def mixing_of(one: Prepared, found: Offer, *, most: int, best: int) -> Mixing:
    """Return the program that mixes the candidates of an offer, with the same routing at all hours.

    Args:
        one: Service.
        found: Candidates.
        most: Most of them that may be used.
        best: Position of the cheapest plan; its options cost nothing more where they are used again.
    """
    evaluation = one.evaluation
    bins = _bins(evaluation)
    hours = [float(evaluation.periods.hours_per_month[members].sum()) for members in bins]
    rates = [float(evaluation.periods.requests_per_s[members].mean()) for members in bins]
    known = {(strategy, o.id) for strategy, o in chosen_options(evaluation, one.plans, best)}
    pools = {
        pool.name: pool for pool in (pool_of(evaluation, found.plans, v) for v in range(len(found.plans)))
    }
    carriers = tuple(_carrier(one, found, position, bins, known) for position in range(len(found.plans)))
    return Mixing(
        buckets=tuple(
            Bucket(f"b{b}", tuple(rate * share_of([span]) * h for rate, h in zip(rates, hours, strict=True)))
            for b, span in enumerate(found.spans)
        ),
        carriers=carriers,
        periods=tuple(Period(f"t{number}", length) for number, length in enumerate(hours)),
        pools=tuple(pools.values()),
        groups=quota_groups(one.terms, pools),
        most_carriers=most,
        loss_limit=None if one.terms.confidence is not None else one.terms.loss_ratio.get(None),
        steady=True,
    )


def _carrier(
    one: Prepared,
    found: Offer,
    position: int,
    bins: Sequence[NDArray[np.int64]],
    known: set[tuple[str, str]],
) -> Carrier:
    evaluation, plans = one.evaluation, found.plans
    ready = covered_rates(one, plans, position)
    most = found.capacity_requests_per_s[position].tolist()
    loads = {
        f"b{number}": tuple(float(ready[members].max()) * share_of([span]) / rate for members in bins)
        for number, (span, rate) in enumerate(zip(found.spans, most, strict=True))
        if rate > 0.0
    }
    new = [o for o in chosen_options(evaluation, plans, position) if (o[0], o[1].id) not in known]
    once, running = own_costs(evaluation, new)
    own = once / evaluation.workload.horizon_months + running
    pool = pool_of(evaluation, plans, position).name
    return Carrier(f"v{position}", pool, loads, own, float(plans.loss_ratio[position]))


def own_costs(evaluation: Evaluation, options: Sequence[tuple[str, Option]]) -> tuple[float, float]:
    """Return what some options cost once, in USD, and their fees, in USD a month."""
    gpu_hours = sum(option.deltas.gpu_hours for _, option in options)
    engineer_hours = sum(option.deltas.engineer_hours for _, option in options)
    once = gpu_hours * evaluation.gpu_hour_usd + engineer_hours * evaluation.workload.engineer_usd_per_h
    return once, sum(option.deltas.running_usd_per_month for _, option in options)


def _bins(evaluation: Evaluation) -> list[NDArray[np.int64]]:
    """Return the periods in groups of similar rates."""
    order = np.argsort(evaluation.periods.requests_per_s, kind="stable")
    return [members for members in np.array_split(order, min(PERIODS, len(order))) if len(members)]


def covered_rates(one: Prepared, plans: Plans, position: int) -> NDArray[np.float64]:
    """Return the rate that a candidate's machines must be ready for in each period, in requests per second."""
    evaluation, policy = one.evaluation, policy_of(one.evaluation, plans, position)
    weights = evaluation.serving.replica.weight_bytes_per_accelerator[plans.engine[position : position + 1]]
    covered = cost.covered_rates(evaluation.periods, policy.scaling, lag_s=cost.start_s(weights))[0]
    ready = np.maximum(covered / policy.target_utilization_ratio, one.terms.min_requests_per_s)
    return np.asarray(ready, dtype=np.float64)
