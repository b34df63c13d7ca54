"""Exact answers by trying everything: slow, simple, and written without the code that it checks."""

from collections.abc import Iterator
from itertools import product
from math import ceil, floor, inf

from advisor.solver import COST, Aggregate, Column, Goal, Limit, Plan, PlanKind, Pool, Program

ROUNDING = 1e-9
Choice = dict[str, str]
Columns = tuple[Column, ...]


def exhaustive(program: Program) -> tuple[tuple[float, ...], Choice] | None:
    """Return the best values of all goals, in their order, and a choice that has them; None if nothing fits."""
    best: tuple[tuple[float, ...], Choice] | None = None
    for values, choice in feasible(program):
        if best is None or _is_better(values, best[0]):
            best = (values, choice)
    return best


def feasible(program: Program) -> Iterator[tuple[tuple[float, ...], Choice]]:
    """Yield goal values and choice of each feasible combination of columns, with its cheapest purchases."""
    for columns in product(*(service.columns for service in program.services)):
        choice = {
            service.name: column.name for service, column in zip(program.services, columns, strict=True)
        }
        use = {pool.name: _use(program, pool.name, columns) for pool in program.pools}
        if _is_cut(program, choice) or not _within_groups(program, use):
            continue
        cost = sum(column.cost_usd_per_month for column in columns)
        hours = [period.hours_per_month for period in program.periods]
        cost += sum(cheapest_cover(pool, use[pool.name], hours) for pool in program.pools)
        if cost == inf or not all(_holds(program, limit, columns, cost) for limit in program.limits):
            continue
        yield tuple(_goal(program, goal, columns, cost) for goal in program.stages), choice


def cheapest_cover(pool: Pool, use: list[float], hours: list[float]) -> float:
    """Return the least cost of covering the use of one pool, by trying every number of committed instances."""
    if pool.owned:
        return 0.0
    committed = [plan for plan in pool.plans if plan.kind is PlanKind.COMMITTED]
    hourly = [plan for plan in pool.plans if plan.kind is PlanKind.HOURLY]
    most = max(ceil(count - ROUNDING) for count in use)
    best = inf
    counts = (range(min(most, most if plan.quota is None else plan.quota) + 1) for plan in committed)
    for bought in product(*counts):
        cost = sum(count * plan.usd_per_h * sum(hours) for count, plan in zip(bought, committed, strict=True))
        for count, hour in zip(use, hours, strict=True):
            cost += hour * _cheapest_hour(hourly, ceil(count - ROUNDING) - sum(bought), count)
        best = min(best, cost)
    return best


def _cheapest_hour(plans: list[Plan], needed: int, use: float) -> float:
    if needed <= 0:
        return 0.0
    best = inf
    caps = [_cap(plan, needed, use) for plan in plans]
    for counts in product(*(range(cap + 1) for cap in caps)):
        if sum(counts) >= needed:
            best = min(best, sum(count * plan.usd_per_h for count, plan in zip(counts, plans, strict=True)))
    return best


def _cap(plan: Plan, needed: int, use: float) -> int:
    quota = needed if plan.quota is None else plan.quota
    share = floor(plan.max_share_of_use * use + ROUNDING) if plan.max_share_of_use < 1 else needed
    return min(needed, quota, share)


def _use(program: Program, pool: str, columns: Columns) -> list[float]:
    counts = [column.demand[pool] for column in columns if pool in column.demand]
    return [sum(one[t] for one in counts) for t in range(len(program.periods))]


def _is_cut(program: Program, choice: Choice) -> bool:
    return any(
        all((service, choice[service]) in cut for service in {name for name, _ in cut})
        for cut in program.cuts
    )


def _within_groups(program: Program, use: dict[str, list[float]]) -> bool:
    return all(
        sum(use[pool][t] for pool in group.pools) <= group.max_instances + ROUNDING
        for group in program.groups
        for t in range(len(program.periods))
    )


def _holds(program: Program, limit: Limit, columns: Columns, cost: float) -> bool:
    if limit.attribute == COST:
        return cost <= limit.bound + ROUNDING * abs(limit.bound)
    pairs = _pairs(program, limit, columns)
    return _combined(pairs, limit.aggregate) <= limit.bound + ROUNDING * max(1.0, abs(limit.bound))


def _goal(program: Program, goal: Goal, columns: Columns, cost: float) -> float:
    if goal.attribute == COST:
        return cost
    return _combined(_pairs(program, goal, columns), goal.aggregate)


def _pairs(program: Program, entry: Limit | Goal, columns: Columns) -> list[tuple[float, float]]:
    """Return weight and attribute of each service that a limit or goal concerns."""
    names = {service.name for service in program.services} if entry.services is None else set(entry.services)
    both = zip(program.services, columns, strict=True)
    return [
        (service.weight, column.attributes[entry.attribute])
        for service, column in both
        if service.name in names
    ]


def _combined(pairs: list[tuple[float, float]], aggregate: Aggregate) -> float:
    if aggregate is Aggregate.EACH:
        return max(value for _, value in pairs)
    if aggregate is Aggregate.SUM:
        return sum(value for _, value in pairs)
    return sum(weight * value for weight, value in pairs) / sum(weight for weight, _ in pairs)


def _is_better(left: tuple[float, ...], right: tuple[float, ...]) -> bool:
    for one, other in zip(left, right, strict=True):
        if abs(one - other) > ROUNDING * max(1.0, abs(one), abs(other)):
            return one < other
    return False
