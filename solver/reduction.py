"""An equivalent smaller program: purchases priced in closed form, rows that cannot bind and dominated columns dropped.

Why: the rows of a pool are needed only where purchases are shared. A pool that one service uses, or whose
price is additive, is a known cost of each column. What is left is a choice among few columns.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import fsum

import numpy as np
from numpy.typing import NDArray

from advisor.solver.columns import COST, Column
from advisor.solver.data import Aggregate, Limit, Pool, QuotaGroup, Service
from advisor.solver.dominance import dominated
from advisor.solver.program import Program
from advisor.solver.purchases import WHOLE, cheapest_purchases, is_additive, less_use_is_never_dearer
from advisor.solver.tables import Use, uses

Floats = NDArray[np.float64]


def price_purchases(program: Program, *, keep_quotas: bool = False, apart: bool = False) -> Program | None:
    """Return the program with the purchases of every pool that allows it as part of its columns' cost.

    Args:
        program: The program.
        keep_quotas: Whether pools with a quota on a plan stay as they are, so that it can be relaxed.
        apart: Whether each service is taken to buy for itself in every pool: another program, whose optimum is a
            good start where purchases are shared.

    Returns:
        A program with the same optima; priced pools become owned ones. None if a service is left without a
        column that its plans can cover.
    """
    flat = [column for service in program.services for column in service.columns]
    owner = np.repeat(
        np.arange(len(program.services)), [len(service.columns) for service in program.services]
    )
    used = uses(flat, {pool.name for pool in program.pools if not pool.owned})
    hours = np.array([period.hours_per_month for period in program.periods])
    cost = np.array([column.cost_usd_per_month for column in flat])
    priced: set[str] = set()
    for stated in program.pools:
        use = used.get(stated.name)
        pool = stated if use is None else _without_idle_quotas(stated, use, owner)
        if keep_quotas and any(plan.quota is not None for plan in pool.plans):
            continue
        if use is not None and (apart or _is_priceable(pool, use, owner)):
            cost[use.at] += cheapest_purchases(pool, use.counts, hours).cost_usd_per_month
            priced.add(pool.name)
        elif use is None:
            priced.add(pool.name)
    services = _priced_services(program, cost.tolist(), priced & _uncounted(program))
    if services is None:
        return None
    pools = tuple(
        replace(pool, plans=(), owned=True) if pool.name in priced else pool for pool in program.pools
    )
    kept = tuple(pool for pool in pools if not (pool.owned and pool.name in _uncounted(program)))
    return replace(program, services=services, pools=kept)


def drop_idle(program: Program) -> Program:
    """Return the program without limits and quotas that cannot bind, and without dominated columns."""
    limits = tuple(limit for limit in program.limits if not _is_idle_limit(program, limit))
    groups = tuple(group for group in program.groups if not _is_idle_group(program, group))
    counted = {pool for group in groups for pool in group.pools}
    pools = tuple(pool for pool in program.pools if not pool.owned or pool.name in counted)
    slim = replace(
        program, services=_with_pools(program.services, pools), pools=pools, groups=groups, limits=limits
    )
    return replace(slim, services=_without_dominated(slim))


def _without_idle_quotas(pool: Pool, use: Use, owner: NDArray[np.intp]) -> Pool:
    """Return the pool without quotas that no choice of columns can need more than."""
    most = np.zeros(int(owner[-1]) + 1)
    np.maximum.at(most, owner[use.at], np.ceil(use.counts.max(axis=1) - WHOLE))
    peak = most.sum()
    plans = (
        replace(plan, quota=None) if plan.quota is not None and plan.quota >= peak else plan
        for plan in pool.plans
    )
    return replace(pool, plans=tuple(plans))


def _is_priceable(pool: Pool, use: Use, owner: NDArray[np.intp]) -> bool:
    """Return whether each column's purchases cost the same whatever the others are.

    So it is where one service uses the pool, and where whole instances have an additive price; fractions
    of an instance that several services use are rounded up together.
    """
    return len(np.unique(owner[use.at])) == 1 or (is_additive(pool) and _is_whole(use.counts))


def _is_whole(counts: Floats) -> bool:
    return bool((np.abs(counts - np.round(counts)) <= WHOLE).all())


def _uncounted(program: Program) -> set[str]:
    counted = {pool for group in program.groups for pool in group.pools}
    return {pool.name for pool in program.pools if pool.name not in counted}


def _priced_services(program: Program, cost: list[float], gone: set[str]) -> tuple[Service, ...] | None:
    services = []
    position = 0
    for service in program.services:
        columns = []
        for column in service.columns:
            if cost[position] != np.inf:
                demand = {pool: counts for pool, counts in column.demand.items() if pool not in gone}
                columns.append(Column(column.name, cost[position], column.attributes, demand))
            position += 1
        if not columns:
            return None
        services.append(replace(service, columns=tuple(columns)))
    return tuple(services)


def _with_pools(services: tuple[Service, ...], pools: tuple[Pool, ...]) -> tuple[Service, ...]:
    names = {pool.name for pool in pools}
    if all(column.demand.keys() <= names for service in services for column in service.columns):
        return services
    return tuple(
        replace(
            service,
            columns=tuple(
                replace(column, demand={pool: column.demand[pool] for pool in column.demand if pool in names})
                for column in service.columns
            ),
        )
        for service in services
    )


def _is_idle_limit(program: Program, limit: Limit) -> bool:
    if limit.attribute == COST:
        most = [max(column.cost_usd_per_month for column in service.columns) for service in program.services]
        return all(pool.owned for pool in program.pools) and fsum(most) <= limit.bound
    services = program.concerned(limit)
    largest = [max(column.attributes[limit.attribute] for column in service.columns) for service in services]
    if limit.aggregate is Aggregate.EACH:
        return max(largest) <= limit.bound
    if limit.aggregate is Aggregate.SUM:
        return fsum(largest) <= limit.bound
    weights = [service.weight for service in services]
    return fsum(weight * value for weight, value in zip(weights, largest, strict=True)) <= limit.bound * fsum(
        weights
    )


def _is_idle_group(program: Program, group: QuotaGroup) -> bool:
    pools = set(group.pools)
    total = np.zeros(len(program.periods))
    for service in program.services:
        most = np.zeros(len(program.periods))
        for column in service.columns:
            used = [counts for pool, counts in column.demand.items() if pool in pools]
            if used:
                most = np.maximum(most, np.sum(used, axis=0))
        total += most
    return bool((total <= group.max_instances).all())


def _without_dominated(program: Program) -> tuple[Service, ...]:
    attributes = sorted(
        {limit.attribute for limit in program.limits} | {goal.attribute for goal in program.stages} - {COST}
    )
    attributes = [attribute for attribute in attributes if attribute != COST]
    fixed = _pools_to_keep_equal(program)
    services = []
    for service in program.services:
        values = _values(program, service, attributes, fixed)
        kept = (~dominated(values)).tolist()
        columns = tuple(column for column, keep in zip(service.columns, kept, strict=True) if keep)
        services.append(replace(service, columns=columns) if len(columns) < len(service.columns) else service)
    return tuple(services)


def _pools_to_keep_equal(program: Program) -> set[str]:
    """Return pools in which less use can cost more: two share-limited plans, or one with fractions in use."""
    shared = {
        pool.name: pool for pool in program.pools if any(plan.max_share_of_use < 1 for plan in pool.plans)
    }
    counted = uses([column for service in program.services for column in service.columns], set(shared))
    return {
        name
        for name, use in counted.items()
        if not (less_use_is_never_dearer(shared[name]) and _is_whole(use.counts))
    }


def _values(program: Program, service: Service, attributes: Sequence[str], fixed: set[str]) -> Floats:
    """Return everything of which less is never worse: cost, attributes, use, membership in cuts."""
    table = [[column.cost_usd_per_month for column in service.columns]]
    table += [[column.attributes.get(name, 0.0) for column in service.columns] for name in attributes]
    table += [
        [float((service.name, column.name) in cut) for column in service.columns] for cut in program.cuts
    ]
    blocks = [np.array(table)]
    nothing = (0.0,) * len(program.periods)
    for pool in sorted({pool for column in service.columns for pool in column.demand}):
        use = np.array([column.demand.get(pool, nothing) for column in service.columns], dtype=np.float64).T
        blocks += [use, -use] if pool in fixed else [use]
    return np.concatenate(blocks).T
