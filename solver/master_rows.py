"""Rows of the linear relaxation in arrays: where each begins, what may exceed it, and a column's entries."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from advisor.solver.columns import COST
from advisor.solver.data import Pool
from advisor.solver.flat import Flat
from advisor.solver.relaxation import use_price
from advisor.solver.tables import Floats, Use

Matrix = tuple[Floats, NDArray[np.int32], NDArray[np.int32]]
"""Values, their rows, and where each column begins."""
INFINITY: Final = 1e30


@dataclass(slots=True)
class Entries:
    """Entries of a matrix, collected in any order."""

    rows: list[NDArray[np.intp]] = field(default_factory=list)
    columns: list[NDArray[np.intp]] = field(default_factory=list)
    values: list[Floats] = field(default_factory=list)

    def add(self, rows: NDArray[np.intp], columns: NDArray[np.intp], values: Floats) -> None:
        """Add entries that are not 0."""
        some = values != 0.0
        self.rows.append(rows[some])
        self.columns.append(columns[some])
        self.values.append(values[some])

    def matrix(self, columns: int) -> Matrix:
        """Return them by columns, entries of one place added up."""
        if not self.rows:
            return np.zeros(0), np.zeros(0, dtype=np.int32), np.zeros(columns, dtype=np.int32)
        row, column, value = (np.concatenate(part) for part in (self.rows, self.columns, self.values))
        order = np.lexsort((row, column))
        row, column, value = row[order], column[order], value[order]
        first = np.ones(len(row), dtype=bool)
        first[1:] = (np.diff(row) != 0) | (np.diff(column) != 0)
        total = np.add.reduceat(value, np.flatnonzero(first)) if len(row) else value
        starts = np.searchsorted(column[first], np.arange(columns))
        return np.asarray(total, dtype=np.float64), row[first].astype(np.int32), starts.astype(np.int32)


class Layout:
    """Where the rows of each kind begin: C1 for each service, then C2 and C3 of pools, C5 of groups, C6 of limits.

    Pools without commitments and quotas have one price for each hour of use, whatever the use: they need no rows.
    """

    def __init__(self, flat: Flat) -> None:
        self.flat = flat
        self.periods = len(flat.hours)
        self.lower, self.upper = [np.ones(len(flat.starts))], [np.ones(len(flat.starts))]
        self.count = len(flat.starts)
        self.steady = {
            pool.name: _marginal_usd_per_h(pool) * flat.hours
            for pool in flat.program.pools
            if not pool.owned and pool.name in flat.uses and _is_steady(pool)
        }
        self.pools = tuple(
            pool
            for pool in flat.program.pools
            if not pool.owned and pool.name in flat.uses and pool.name not in self.steady
        )
        self.cover: dict[str, int] = {}
        self.share: dict[tuple[str, str], int] = {}
        for pool in self.pools:
            self.cover[pool.name] = self._block(self.periods, 0.0, INFINITY)
            for plan in pool.hourly:
                if plan.max_share_of_use < 1.0:
                    self.share[pool.name, plan.name] = self._block(self.periods, -INFINITY, 0.0)
        self.groups = {
            group.name: self._block(self.periods, -INFINITY, float(group.max_instances))
            for group in flat.program.groups
        }
        self.limits = {
            limit.name: self._block(1, -INFINITY, limit.bound)
            for limit in flat.program.limits
            if limit.attribute != COST and limit.name in flat.shares
        }

    def _block(self, rows: int, lower: float, upper: float) -> int:
        self.lower.append(np.full(rows, lower))
        self.upper.append(np.full(rows, upper))
        self.count += rows
        return self.count - rows

    def relaxable(self) -> Iterator[tuple[int, int, float]]:
        """Yield blocks of rows that columns known so far may be unable to keep: first row, rows, unit with its sign."""
        for pool in self.pools:
            if not any(plan.quota is None and plan.max_share_of_use >= 1.0 for plan in pool.plans):
                yield self.cover[pool.name], self.periods, 1.0
        for first in self.groups.values():
            yield first, self.periods, -1.0
        for name, row in self.limits.items():
            yield row, 1, -(float(np.abs(self.flat.shares[name]).max(initial=0.0)) or 1.0)

    def entries(self, columns: NDArray[np.intp]) -> Matrix:
        """Return the entries of some columns, ascending positions of the whole program."""
        found, number = Entries(), np.arange(len(columns))
        found.add(self.flat.owner[columns], number, np.ones(len(columns)))
        for pool in self.flat.program.pools:
            if pool.name not in self.flat.uses:
                continue
            at, counts = used_by(self.flat.uses[pool.name], columns)
            for first, factor in self._rows_of_use(pool):
                rows = np.broadcast_to(first + np.arange(self.periods), counts.shape)
                of = np.broadcast_to(at[:, None], counts.shape)
                found.add(rows.ravel(), of.ravel(), factor * counts.ravel())
        for name, row in self.limits.items():
            found.add(np.full(len(columns), row), number, self.flat.shares[name][columns])
        return found.matrix(len(columns))

    def cost(self, columns: NDArray[np.intp]) -> Floats:
        """Return what some columns cost, purchases of pools without rows among it, in USD per month."""
        cost = self.flat.cost[columns].copy()
        for pool in self.flat.program.pools:
            if pool.name in self.steady:
                at, counts = used_by(self.flat.uses[pool.name], columns)
                cost[at] += counts @ use_price(pool, self.steady[pool.name], self.flat.hours)[0]
        return cost

    def _rows_of_use(self, pool: Pool) -> Iterator[tuple[int, float]]:
        if pool.name in self.cover:
            yield self.cover[pool.name], -1.0
            for plan in pool.hourly:
                if plan.max_share_of_use < 1.0:
                    yield self.share[pool.name, plan.name], -plan.max_share_of_use
        for group in self.flat.program.groups:
            if pool.name in group.pools:
                yield self.groups[group.name], 1.0


def used_by(use: Use, columns: NDArray[np.intp]) -> tuple[NDArray[np.intp], Floats]:
    """Return which of some columns (ascending) use a pool, by their place among them, and how much."""
    row = np.minimum(np.searchsorted(use.at, columns), len(use.at) - 1)
    at = np.flatnonzero(use.at[row] == columns)
    return at, use.counts[row[at]].astype(np.float64)


def _is_steady(pool: Pool) -> bool:
    free = any(plan.max_share_of_use >= 1.0 for plan in pool.hourly)
    return free and not pool.committed and all(plan.quota is None for plan in pool.hourly)


def _marginal_usd_per_h(pool: Pool) -> float:
    """Return the price of the dearest plan that a broken number of instances is bought of, in USD per hour."""
    share = 0.0
    for plan in pool.hourly:
        share += plan.max_share_of_use
        if share >= 1.0:
            return plan.usd_per_h
    return pool.hourly[-1].usd_per_h
