"""Turns evaluated candidates into the integer program, and reads its answer back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from advisor import cost
from advisor.plans import Plans
from advisor.policies import Policy
from advisor.solver import (
    COST,
    Aggregate,
    Column,
    Goal,
    Limit,
    Period,
    PlanKind,
    Pool,
    Program,
    QuotaGroup,
    Service,
    Table,
    Use,
)
from advisor.solver import Plan as PurchasePlan
from advisor.solver.tables import table_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from advisor.catalog import InstanceType
    from advisor.evaluation import Evaluation
    from advisor.terms import Terms

KEPT_CHEAPEST = 64
"""Columns handed to the program beside the frontier, so that equal candidates meet their tie-breakers."""
ATTRIBUTES = {
    "cost": COST,
    "accuracy": "accuracy_loss_ratio",
    "latency": "latency_s",
    "carbon": "carbon_kg_per_month",
    "one-time": "one_time_usd",
}


@dataclass(frozen=True, slots=True)
class Extra:
    """A column of a service that is no candidate by itself, such as a mix of several, and the pools that it buys from."""

    column: Column
    pools: tuple[Pool, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One service with its candidates."""

    evaluation: Evaluation
    plans: Plans
    terms: Terms
    reduced: bool = False
    """Whether candidates that are never needed were left out before."""
    extras: tuple[Extra, ...] = ()
    """Further columns, which compete with the candidates."""

    @property
    def name(self) -> str:
        """Name of the service."""
        return self.evaluation.workload.name

    @property
    def weight(self) -> float:
        """Requests a month, by which fleet means are weighed."""
        return float(self.evaluation.periods.requests_per_s @ self.evaluation.periods.hours_per_month)


@dataclass(frozen=True, slots=True)
class Formulation:
    """A program and which candidate each of its columns is."""

    program: Program
    candidate: dict[tuple[str, str], int]
    """Position in the plans of a service, by the names of service and column."""

    @property
    def columns(self) -> int:
        """Columns of the program."""
        return sum(len(service.columns) for service in self.program.services)


def formulate(cases: Sequence[Case], terms: Terms) -> Formulation:
    """Return the program that picks one of each service's plans; each case must have at least one.

    Columns that are worse than another in the cost and in everything that is limited or minimised are left out. With
    several services a column also stays where it needs fewer machines in some hour, as they may share what is bought.

    Args:
        cases: Services, their traffic in the same periods.
        terms: Totals and quotas over all services, and the objective.
    """
    services: list[Service] = []
    pools: dict[str, Pool] = {}
    candidate: dict[tuple[str, str], int] = {}
    for case in cases:
        values = attribute_values(case.evaluation, case.plans, terms)
        chosen = _chosen(case, values, terms, alone=len(cases) == 1)
        table = _table(case, chosen, values, pools)
        columns = (
            table_of([*table, *(_extra(case, one, pools) for one in case.extras)]) if case.extras else table
        )
        services.append(Service(case.name, columns, case.weight))
        candidate |= {(case.name, name): int(at) for name, at in zip(table.names, chosen, strict=True)}
    hours = cases[0].evaluation.periods.hours_per_month
    program = Program(
        services=tuple(services),
        periods=tuple(Period(f"t{number:03d}", float(length)) for number, length in enumerate(hours)),
        pools=tuple(pools.values()),
        groups=quota_groups(terms, pools),
        limits=_limits(terms),
        goals=tuple(Goal(ATTRIBUTES[name], Aggregate.SUM) for name in terms.objective),
    )
    return Formulation(program, candidate)


def _chosen(
    case: Case, values: dict[str, NDArray[np.float64]], terms: Terms, *, alone: bool
) -> NDArray[np.int64]:
    """Return the candidates that the program is given, ascending."""
    if case.reduced:
        return np.arange(len(case.plans))
    return _alone(case, values, terms) if alone else np.array(sharing_columns(case, values, terms))


def _alone(case: Case, values: dict[str, NDArray[np.float64]], terms: Terms) -> NDArray[np.int64]:
    """Return the useful candidates of a service that shares nothing, among those within its quotas where there are any."""
    within = np.flatnonzero(within_quotas(case.evaluation, case.plans, terms))
    if not len(within):
        within = np.arange(len(case.plans))
    return within[useful_columns({name: column[within] for name, column in values.items()}, terms)]


def within_quotas(evaluation: Evaluation, plans: Plans, terms: Terms) -> NDArray[np.bool_]:
    """Return which candidates use no more machines of a type at a time than its quota."""
    if not terms.quotas:
        return np.ones(len(plans), dtype=bool)
    machines = [block.instance_type for block in evaluation.candidates.blocks]
    most = [
        min((limit for name, limit in terms.quotas.items() if name in {m.name, m.id}), default=np.inf)
        for m in machines
    ]
    peak = plans.instances.max(axis=1, initial=0.0)
    return np.asarray(peak <= np.array(most)[evaluation.engines.block[plans.engine]])


def _table(
    case: Case, chosen: NDArray[np.int64], values: dict[str, NDArray[np.float64]], pools: dict[str, Pool]
) -> Table:
    """Return the chosen candidates as columns, and add the pools that they use to `pools`."""
    plans = case.plans.take(chosen)
    _, firsts, kind = np.unique(_pool_numbers(case.evaluation, plans), return_index=True, return_inverse=True)
    names = [_known(pool_of(case.evaluation, plans, int(first)), case.name, pools) for first in firsts]
    counts = plans.instances.astype(np.min_scalar_type(int(plans.instances.max(initial=0.0))))
    return Table(
        tuple(f"c{position:07d}" for position in chosen.tolist()),
        plans.own_usd_per_month,
        {name: column[chosen] for name, column in values.items() if name != COST},
        {name: Use(at, counts[at]) for name, at in _users(names, kind).items()},
    )


def _known(pool: Pool, service: str, pools: dict[str, Pool]) -> str:
    """Return the name of a pool, its own for the service where others pay other prices under the same name."""
    if pools.setdefault(pool.name, pool) != pool:
        pool = replace(pool, name=f"{pool.name}|{service}")
        pools[pool.name] = pool
    return pool.name


def _extra(case: Case, extra: Extra, pools: dict[str, Pool]) -> Column:
    names = {pool.name: _known(pool, case.name, pools) for pool in extra.pools}
    return replace(extra.column, demand={names[pool]: use for pool, use in extra.column.demand.items()})


def _users(names: Sequence[str], kind: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """Return the positions of the columns that use each pool; several kinds of columns may use one."""
    numbers = {name: [at for at, other in enumerate(names) if other == name] for name in names}
    return {name: np.flatnonzero(np.isin(kind, own)) for name, own in numbers.items()}


def sharing_columns(case: Case, values: dict[str, NDArray[np.float64]], terms: Terms) -> list[int]:
    """Return the candidates that no other of the same machine and purchase beats in every hour and everything that counts.

    Safe however machines are shared: within one pool, fewer machines in every hour never cost more.
    """
    plans = case.plans
    counted = [ATTRIBUTES[name] for name in (terms.objective[0], *terms.totals) if ATTRIBUTES[name] != COST]
    own = [plans.own_usd_per_month, *(values[name] for name in dict.fromkeys(counted))]
    ties = [values[ATTRIBUTES[name]] for name in terms.objective[1:]]
    pool = _pool_numbers(case.evaluation, plans)
    # A candidate that is never worse than another comes before it: their machines are whole numbers, summed exactly.
    order = np.lexsort((*ties[::-1], plans.instances.sum(axis=1), *own[::-1], pool))
    points = np.column_stack([*own, plans.instances])[order]
    starts = np.flatnonzero(np.diff(pool[order], prepend=-1))
    ends = [*starts[1:].tolist(), len(order)]
    kept = [start + _first_of_dominated(points[start:end]) for start, end in zip(starts, ends, strict=True)]
    return sorted(order[np.concatenate(kept)].tolist()) if kept else []


def _first_of_dominated(points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the rows that no row before them is at most as large as in every column."""
    kept, left = [], np.arange(len(points))
    while len(left):
        kept.append(left[0])
        worse = (points >= points[0]).all(axis=1)
        points, left = points[~worse], left[~worse]
    return np.array(kept, dtype=np.int64)


def _pool_numbers(evaluation: Evaluation, plans: Plans) -> NDArray[np.int64]:
    """Return a number for each candidate that is shared by those that buy the same machines in the same way."""
    ways = list(dict.fromkeys((p.purchase, p.cost_ratio) for own in evaluation.policies for p in own))
    bought = np.zeros((len(evaluation.policies), max(map(len, evaluation.policies))), dtype=np.int64)
    for number, own in enumerate(evaluation.policies):
        bought[number, : len(own)] = [ways.index((p.purchase, p.cost_ratio)) for p in own]
    block = evaluation.engines.block[plans.engine]
    _, ratio = np.unique(evaluation.engines.values["cost_ratio"][plans.engine], return_inverse=True)
    return (ratio * len(bought) + block) * len(ways) + bought[block, plans.policy]


def attribute_values(evaluation: Evaluation, plans: Plans, terms: Terms) -> dict[str, NDArray[np.float64]]:
    """Return what is minimised or limited, by the program's name for it, one entry for each candidate."""
    values = {
        COST: plans.cost_usd_per_month,
        "accuracy_loss_ratio": plans.loss_ratio,
        "carbon_kg_per_month": plans.carbon_kg_per_month,
        "one_time_usd": plans.one_time_usd,
    }
    if "latency" in terms.objective:
        values["latency_s"] = busiest_latency_s(evaluation, plans)
    return values


def busiest_latency_s(evaluation: Evaluation, plans: Plans) -> NDArray[np.float64]:
    """Return the 95th percentile of the whole request in the slowest period, in seconds; a large number where unstable."""
    serving = evaluation.serving.take(plans.engine)
    slowest = np.zeros(len(plans))
    for period in range(plans.replicas.shape[1]):
        rate, arrival_cv = load_of_a_replica(evaluation, plans, period)
        slowest = np.maximum(slowest, serving.latency(rate, arrival_cv=arrival_cv)["e2e"].p95_s)
    return np.minimum(slowest, 1e9)


def load_of_a_replica(
    evaluation: Evaluation, plans: Plans, period: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the arrival rate that one replica sees in a period, in requests per second, and its burstiness."""
    count = np.maximum(plans.replicas[:, period], 1.0)
    cvs = np.array(evaluation.arrival_cvs)
    return evaluation.periods.requests_per_s[period] / count, cvs[cost.level_of(count, len(cvs))]


def busiest_rate(evaluation: Evaluation, plans: Plans) -> NDArray[np.float64]:
    """Return the highest arrival rate that one replica sees in any period, in requests per second."""
    rates = evaluation.periods.requests_per_s / np.maximum(plans.replicas, 1.0)
    return np.asarray(rates.max(axis=1), dtype=np.float64)


def useful_columns(values: dict[str, NDArray[np.float64]], terms: Terms) -> list[int]:
    """Return the candidates worth handing to the program: the frontier of everything that counts, and the cheapest."""
    limited = {ATTRIBUTES[name] for name in terms.totals}
    minimised = [ATTRIBUTES[name] for name in terms.objective]
    order = np.lexsort(tuple(values[name] for name in reversed(minimised)))
    first = order[:KEPT_CHEAPEST]
    dimensions = [values[name] for name in dict.fromkeys((minimised[0], *sorted(limited)))]
    return sorted({*first.tolist(), *_frontier(dimensions, order).tolist()})


def _frontier(dimensions: list[NDArray[np.float64]], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the candidates that no other beats or equals in every dimension; of equals the first in `order`."""
    if len(dimensions) == 1:
        return order[:1]
    points = np.stack(dimensions, axis=1)[order]
    if points.shape[1] == 2:
        best_before = np.concatenate([[np.inf], np.minimum.accumulate(points[:-1, 1])])
        return order[points[:, 1] < best_before]
    kept: list[int] = []
    for position, point in enumerate(points):
        if not kept or not (points[kept] <= point).all(axis=1).any():
            kept.append(position)
    return order[kept]


def policy_of(evaluation: Evaluation, plans: Plans, position: int) -> Policy:
    """Return how the candidate's replicas scale and are bought."""
    number = int(evaluation.engines.block[plans.engine[position]])
    return evaluation.policies[number][int(plans.policy[position])]


def machine_of(evaluation: Evaluation, plans: Plans, position: int) -> InstanceType:
    """Return the candidate's machine."""
    return evaluation.candidates.blocks[int(evaluation.engines.block[plans.engine[position]])].instance_type


def pool_of(evaluation: Evaluation, plans: Plans, position: int) -> Pool:
    """Return the pool that a candidate's machines are bought from, with its ways to buy."""
    machine, policy = machine_of(evaluation, plans, position), policy_of(evaluation, plans, position)
    ratio = float(evaluation.engines.values["cost_ratio"][plans.engine[position]]) * policy.cost_ratio
    name = f"{machine.id}|{policy.purchase}" + ("" if ratio == 1.0 else f"|x{ratio!r}")
    return Pool(
        name,
        tuple(
            _purchase_plan(plan, price * ratio)
            for plan, price in ways_to_buy(evaluation, plans, position).items()
        ),
    )


def ways_to_buy(evaluation: Evaluation, plans: Plans, position: int) -> dict[str, float]:
    """Return the effective price of each way to buy that the candidate uses, in USD per hour, before any ratio."""
    policy = policy_of(evaluation, plans, position)
    price = cost.prices(
        [machine_of(evaluation, plans, position)],
        policy.purchase,
        horizon_months=evaluation.workload.horizon_months,
    )
    committed = {policy.purchase: price.committed[0]} if policy.purchase.startswith("reserved") else {}
    named = {"on-demand": price.on_demand[0], "spot": price.spot[0], **committed}
    return {plan: float(usd) for plan, usd in named.items() if np.isfinite(usd)}


def _purchase_plan(plan: str, usd_per_h: float) -> PurchasePlan:
    if plan.startswith("reserved"):
        return PurchasePlan(plan, PlanKind.COMMITTED, usd_per_h)
    return PurchasePlan(
        plan, PlanKind.HOURLY, usd_per_h, max_share_of_use=cost.SPOT_SHARE if plan == "spot" else 1.0
    )


def quota_groups(terms: Terms, pools: Mapping[str, Pool]) -> tuple[QuotaGroup, ...]:
    """Return the quotas that concern some pools."""
    groups = []
    for name, most in sorted(terms.quotas.items()):
        mine = tuple(
            sorted(
                pool
                for pool in pools
                if name in (pool.partition("|")[0], pool.partition("|")[0].rpartition("/")[2])
            )
        )
        if mine:
            groups.append(QuotaGroup(f"quota of {name}", mine, most))
    return tuple(groups)


def _limits(terms: Terms) -> tuple[Limit, ...]:
    return tuple(Limit(name, ATTRIBUTES[name], bound) for name, bound in sorted(terms.totals.items()))
