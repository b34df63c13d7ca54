"""A good choice for services that share purchases: change one service at a time as long as the cost falls.

Why: at several hundred services a solver proves a bound long before it finds a good choice. This finds one;
how good it is, the bound says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from advisor.solver.columns import COST
from advisor.solver.data import Aggregate, Limit, Pool, QuotaGroup, Service
from advisor.solver.program import Program
from advisor.solver.purchases import cheapest_purchases

Floats = NDArray[np.float64]

_SWEEPS: Final = 20
_ROOM: Final = 1e-9


def descended(program: Program, choice: Mapping[str, str]) -> dict[str, str]:
    """Return a choice that costs no more, from which no change of a single service saves anything.

    Args:
        program: The program; its first goal is the cost, and it has no cuts.
        choice: Service name to column name; every row holds for it.
    """
    state = _State(program, choice)
    for _ in range(_SWEEPS):
        moved = [state.improve(table) for table in state.tables]
        if not any(moved):
            break
    return {table.service.name: table.service.columns[table.chosen].name for table in state.tables}


@dataclass(slots=True)
class _Table:
    """The columns of one service in arrays: use of each pool and contribution to each limit, one row for a column."""

    service: Service
    cost: Floats
    use: dict[str, Floats]
    shares: dict[str, Floats]
    chosen: int


class _State:
    """Use of each pool, and value of each limit, under the choice reached so far."""

    def __init__(self, program: Program, choice: Mapping[str, str]) -> None:
        self.hours = np.array([period.hours_per_month for period in program.periods])
        self.pools: dict[str, Pool] = {pool.name: pool for pool in program.pools}
        self.groups: Sequence[QuotaGroup] = program.groups
        self.limits: Sequence[Limit] = [limit for limit in program.limits if limit.attribute != COST]
        weights = {limit.name: _weights(program, limit) for limit in self.limits}
        self.tables = [
            _table(program, service, weights, choice[service.name]) for service in program.services
        ]
        self.use = {name: np.zeros(len(self.hours)) for name in self.pools}
        self.values = {limit.name: 0.0 for limit in self.limits}
        for table in self.tables:
            self._count(table, sign=1.0)

    def improve(self, table: _Table) -> bool:
        """Move a service to its cheapest column that keeps every row, and return whether that saves anything."""
        self._count(table, sign=-1.0)
        cost = table.cost.copy()
        for name, use in table.use.items():
            cost += cheapest_purchases(self.pools[name], self.use[name] + use, self.hours).cost_usd_per_month
        cost[~self._keeps_rows(table)] = np.inf
        best = int(np.argmin(cost))
        saves = bool(cost[best] < cost[table.chosen] - _ROOM * abs(cost[table.chosen]))
        if saves:
            table.chosen = best
        self._count(table, sign=1.0)
        return saves

    def _count(self, table: _Table, *, sign: float) -> None:
        for name, use in table.use.items():
            self.use[name] = self.use[name] + sign * use[table.chosen]
        for name, shares in table.shares.items():
            self.values[name] += sign * float(shares[table.chosen])

    def _keeps_rows(self, table: _Table) -> NDArray[np.bool_]:
        keeps = np.ones(len(table.cost), dtype=bool)
        for limit in self.limits:
            if limit.name in table.shares:
                others = 0.0 if limit.aggregate is Aggregate.EACH else self.values[limit.name]
                keeps &= others + table.shares[limit.name] <= limit.bound + _ROOM * abs(limit.bound)
        for group in self.groups:
            total = sum((self.use[name] + table.use.get(name, 0.0) for name in group.pools), np.zeros((1, 1)))
            keeps &= np.asarray(total <= group.max_instances + _ROOM).all(axis=1)
        return keeps


def _table(
    program: Program, service: Service, weights: Mapping[str, Mapping[str, float]], chosen: str
) -> _Table:
    nothing = (0.0,) * len(program.periods)
    names = [column.name for column in service.columns]
    pools = sorted({pool for column in service.columns for pool in column.demand})
    return _Table(
        service,
        np.array([column.cost_usd_per_month for column in service.columns]),
        {pool: np.array([column.demand.get(pool, nothing) for column in service.columns]) for pool in pools},
        {
            limit.name: weights[limit.name][service.name]
            * np.array([column.attributes[limit.attribute] for column in service.columns])
            for limit in program.limits
            if service.name in weights.get(limit.name, ())
        },
        names.index(chosen),
    )


def _weights(program: Program, limit: Limit) -> dict[str, float]:
    """Return what an attribute of each service concerned counts for in a limit, by service name."""
    concerned = program.concerned(limit)
    if limit.aggregate is not Aggregate.MEAN:
        return {service.name: 1.0 for service in concerned}
    total = sum(service.weight for service in concerned)
    return {service.name: service.weight / total for service in concerned}
