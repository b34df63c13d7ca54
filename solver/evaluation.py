"""A choice evaluated again from the data: exact cost, attributes, purchases, and the rows that it breaks."""

from collections.abc import Iterable, Mapping
from math import fsum, isfinite
from typing import Final

import numpy as np

from advisor.solver.columns import COST, Column
from advisor.solver.data import Aggregate, Goal, Limit, PlanKind, Pool
from advisor.solver.errors import ProgramError
from advisor.solver.program import Program
from advisor.solver.purchases import Purchases, cheapest_purchases
from advisor.solver.results import Purchase, Solution
from advisor.solver.tables import column_named

TOLERANCE: Final = 1e-6
"""Relative violation of a row from which an answer counts as wrong."""


def evaluate(program: Program, choice: Mapping[str, str]) -> Solution | None:
    """Return what a choice costs and uses with its cheapest purchases, or None if they cannot cover it.

    Args:
        program: The program.
        choice: Service name to column name, one for each service.
    """
    columns = chosen_columns(program, choice)
    use = _use(program, columns.values())
    hours = np.array([period.hours_per_month for period in program.periods])
    purchases: list[Purchase] = []
    for pool in sorted(program.pools, key=lambda pool: pool.name):
        bought = cheapest_purchases(pool, np.array([use[pool.name]]), hours)
        if not isfinite(bought.cost_usd_per_month[0]):
            return None
        purchases += _listed(pool, bought, hours.tolist())
    purchase_cost = fsum(purchase.cost_usd_per_month for purchase in purchases)
    cost = fsum([purchase_cost, *(column.cost_usd_per_month for column in columns.values())])
    return Solution(
        choice={name: columns[name].name for name in sorted(columns)},
        purchases=tuple(purchases),
        cost_usd_per_month=cost,
        purchase_cost_usd_per_month=purchase_cost,
        attributes=_attribute_sums(columns.values()),
        limits={limit.name: _limit_value(program, limit, columns, cost) for limit in program.limits},
        use=use,
    )


def chosen_columns(program: Program, choice: Mapping[str, str]) -> dict[str, Column]:
    """Return service name to chosen column, in the order of the program."""
    columns = {}
    for service in program.services:
        name = choice.get(service.name)
        column = column_named(service.columns, name)
        if column is None:
            raise ProgramError(
                f"the choice for service {service.name!r} is {name!r}; expected one of its columns"
            )
        columns[service.name] = column
    return columns


def broken_rows(program: Program, solution: Solution, *, tolerance: float = TOLERANCE) -> tuple[str, ...]:
    """Return a sentence for each row that a solution breaks by more than the tolerance."""
    found = []
    for limit in program.limits:
        value = solution.limits[limit.name]
        size = _size(program, limit, solution)
        if value - limit.bound > tolerance * size:
            found.append(f"limit {limit.name!r}: {value:.9g} is more than {limit.bound:.9g}")
    for group in program.groups:
        for index, period in enumerate(program.periods):
            used = fsum(solution.use[pool][index] for pool in group.pools)
            if used - group.max_instances > tolerance * max(group.max_instances, 1):
                found.append(
                    f"quota {group.name!r} in {period.name!r}: {used:.9g} is more than {group.max_instances}"
                )
    for number, cut in enumerate(program.cuts, start=1):
        if _is_cut(cut, solution.choice):
            found.append(f"cut {number}: the choice was excluded")
    return tuple(found)


def goal_value(program: Program, goal: Goal, solution: Solution) -> float:
    """Return the value of a goal, in the unit of its attribute."""
    if goal.attribute == COST:
        return solution.cost_usd_per_month
    columns = chosen_columns(program, solution.choice)
    concerned = {service.name: columns[service.name] for service in program.concerned(goal)}
    return _combined(program, goal.attribute, goal.aggregate, concerned)


def _is_cut(cut: frozenset[tuple[str, str]], choice: Mapping[str, str]) -> bool:
    services = {service for service, _ in cut}
    return all((service, choice[service]) in cut for service in services)


def _use(program: Program, columns: Iterable[Column]) -> dict[str, tuple[float, ...]]:
    total = {pool.name: [0.0] * len(program.periods) for pool in program.pools}
    for column in columns:
        for pool, counts in column.demand.items():
            total[pool] = [have + more for have, more in zip(total[pool], counts, strict=True)]
    return {name: tuple(total[name]) for name in sorted(total)}


def _listed(pool: Pool, bought: Purchases, hours: list[float]) -> list[Purchase]:
    found = []
    for plan in sorted(pool.plans, key=lambda plan: plan.name):
        if plan.kind is PlanKind.COMMITTED:
            counts = (round(float(bought.committed[plan.name][0])),) * len(hours)
        else:
            counts = tuple(round(float(count)) for count in bought.hourly[plan.name][0])
        if any(counts):
            cost = fsum(count * hour for count, hour in zip(counts, hours, strict=True)) * plan.usd_per_h
            found.append(Purchase(pool.name, plan.name, plan.kind, counts, cost))
    return found


def _attribute_sums(columns: Iterable[Column]) -> dict[str, float]:
    columns = list(columns)
    names = sorted({name for column in columns for name in column.attributes})
    return {name: fsum(column.attributes.get(name, 0.0) for column in columns) for name in names}


def _limit_value(program: Program, limit: Limit, columns: Mapping[str, Column], cost: float) -> float:
    if limit.attribute == COST:
        return cost
    concerned = {service.name: columns[service.name] for service in program.concerned(limit)}
    return _combined(program, limit.attribute, limit.aggregate, concerned)


def _combined(program: Program, attribute: str, aggregate: Aggregate, columns: Mapping[str, Column]) -> float:
    values = {name: column.attributes[attribute] for name, column in columns.items()}
    if not values:
        return 0.0
    if aggregate is Aggregate.EACH:
        return max(values.values())
    if aggregate is Aggregate.SUM:
        return fsum(values.values())
    weights = {service.name: service.weight for service in program.services if service.name in values}
    return fsum(weights[name] * value for name, value in values.items()) / fsum(weights.values())


def _size(program: Program, limit: Limit, solution: Solution) -> float:
    if limit.attribute == COST:
        return max(abs(limit.bound), solution.cost_usd_per_month)
    columns = chosen_columns(program, solution.choice)
    values = (abs(columns[service.name].attributes[limit.attribute]) for service in program.concerned(limit))
    return max(abs(limit.bound), *values)
