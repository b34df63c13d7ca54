"""A whole program in arrays: the columns of all services one after the other, and what each adds to every shared row."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from advisor.solver.columns import COST
from advisor.solver.data import Aggregate, Limit, Service
from advisor.solver.program import Program
from advisor.solver.tables import Floats, Table, Use, table_of


@dataclass(frozen=True, slots=True, eq=False)
class Flat:
    """Columns of all services, services by name, columns by name.

    Attributes:
        program: What this was made from, its services in that order and their columns as tables.
        starts: Position of the first column of each service.
        owner: Number of the service of each column.
        cost: What belongs to each column alone, in USD per month.
        uses: Pool name to the columns that use it, and how much in each period.
        shares: Limit name to what each column adds to it, for limits on a sum or a mean.
        allowed: Which columns keep the limits on each service by itself.
    """

    program: Program
    starts: NDArray[np.intp]
    owner: NDArray[np.intp]
    cost: Floats
    uses: Mapping[str, Use]
    shares: Mapping[str, Floats]
    allowed: NDArray[np.bool_]

    @property
    def hours(self) -> Floats:
        """Hours a month of each period."""
        return np.array([period.hours_per_month for period in self.program.periods])

    def name(self, column: int) -> tuple[str, str]:
        """Return the names of a column's service and of the column."""
        number = int(self.owner[column])
        service = self.program.services[number]
        return service.name, table_of(service.columns).names[column - int(self.starts[number])]

    def choice(self, columns: NDArray[np.intp]) -> dict[str, str]:
        """Return service name to column name for one column of each service."""
        return dict(self.name(int(column)) for column in columns)

    def least(self, values: Floats) -> NDArray[np.intp]:
        """Return the column of each service with the least value."""
        least = np.minimum.reduceat(values, self.starts)
        at = np.flatnonzero(values == least[self.owner])
        _, first = np.unique(self.owner[at], return_index=True)
        return at[first]

    def only(self, keep: NDArray[np.bool_]) -> Program:
        """Return the program with some of its columns, at least one of each service."""
        ends = [*self.starts[1:].tolist(), len(self.cost)]
        services = tuple(
            replace(service, columns=table_of(service.columns).take(np.flatnonzero(keep[start:end])))
            for service, start, end in zip(self.program.services, self.starts.tolist(), ends, strict=True)
        )
        used = {pool for service in services for pool in table_of(service.columns).demand}
        counted = {pool for group in self.program.groups for pool in group.pools}
        pools = tuple(pool for pool in self.program.pools if pool.name in used | counted)
        return replace(self.program, services=services, pools=pools)


def flat(program: Program) -> Flat:
    """Return a program in arrays."""
    services = tuple(
        replace(service, columns=table_of(service.columns))
        for service in sorted(program.services, key=lambda service: service.name)
    )
    program = replace(
        program,
        services=services,
        pools=tuple(sorted(program.pools, key=lambda pool: pool.name)),
        groups=tuple(sorted(program.groups, key=lambda group: group.name)),
        limits=tuple(sorted(program.limits, key=lambda limit: limit.name)),
    )
    tables = [table_of(service.columns) for service in services]
    counts = np.array([len(table) for table in tables])
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.intp)
    shares, allowed = {}, np.ones(int(counts.sum()), dtype=bool)
    for limit in program.limits:
        if limit.attribute == COST:
            continue
        values = _shares(program, limit, services, tables)
        if limit.aggregate is Aggregate.EACH:
            allowed &= values <= limit.bound + 1e-9 * max(abs(limit.bound), 1e-12)
        else:
            shares[limit.name] = values
    return Flat(
        program,
        starts,
        np.repeat(np.arange(len(tables)), counts),
        np.concatenate([table.cost_usd_per_month for table in tables]),
        _uses(tables, starts),
        shares,
        allowed,
    )


def _shares(program: Program, limit: Limit, services: tuple[Service, ...], tables: list[Table]) -> Floats:
    concerned = {service.name: service.weight for service in program.concerned(limit)}
    total = sum(concerned.values())
    parts = []
    for service, table in zip(services, tables, strict=True):
        if service.name not in concerned:
            parts.append(np.zeros(len(table)))
            continue
        weight = service.weight / total if limit.aggregate is Aggregate.MEAN else 1.0
        parts.append(weight * table.attributes[limit.attribute])
    return np.concatenate(parts)


def _uses(tables: list[Table], starts: NDArray[np.intp]) -> dict[str, Use]:
    at: dict[str, list[NDArray[np.intp]]] = {}
    counts: dict[str, list[NDArray[np.generic]]] = {}
    for table, start in zip(tables, starts.tolist(), strict=True):
        for pool, use in table.demand.items():
            at.setdefault(pool, []).append(use.at + start)
            counts.setdefault(pool, []).append(use.counts)
    return {pool: Use(np.concatenate(at[pool]), np.concatenate(counts[pool])) for pool in sorted(at)}
