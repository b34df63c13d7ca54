"""The whole program as data: sets that fit together, checked once when it is built."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from advisor.solver.columns import COST, Column, unique
from advisor.solver.data import Aggregate, Goal, Limit, Period, Pool, QuotaGroup, Service
from advisor.solver.errors import ProgramError
from advisor.solver.tables import Table

Choice = tuple[str, str]
"""A service name and the name of one of its columns."""


@dataclass(frozen=True, slots=True)
class Program:
    """One integer program; the package docstring states it in mathematical notation.

    Attributes:
        services: Services to decide on, in any order.
        periods: Parts of the month; every demand has one number for each, in this order.
        pools: Pools that any demand names.
        groups: Quotas over several pools.
        limits: Upper bounds; each is relaxable when nothing fits.
        goals: What to minimise first, then among equals, and so on; `COST` follows last if it is missing.
        cuts: Sets of choices of which at least one must not be taken (rows C8), to find the next best.
    """

    services: tuple[Service, ...]
    periods: tuple[Period, ...]
    pools: tuple[Pool, ...] = ()
    groups: tuple[QuotaGroup, ...] = ()
    limits: tuple[Limit, ...] = ()
    goals: tuple[Goal, ...] = (Goal(),)
    cuts: tuple[frozenset[Choice], ...] = ()

    def __post_init__(self) -> None:
        if not self.services:
            raise ProgramError("the program has no service; expected at least one")
        if not self.periods:
            raise ProgramError("the program has no period; expected at least one")
        for what in ("services", "periods", "pools", "groups", "limits"):
            unique((entry.name for entry in getattr(self, what)), what=f"one of the {what}")
        self._check_demand()
        self._check_references()

    @property
    def hours_per_month(self) -> float:
        """Hours of all periods together, in hours per month."""
        return sum(period.hours_per_month for period in self.periods)

    @property
    def stages(self) -> tuple[Goal, ...]:
        """Goals in the order of their solves, ending with the cost."""
        if any(goal.attribute == COST for goal in self.goals):
            return self.goals
        return (*self.goals, Goal())

    def concerned(self, entry: Limit | Goal) -> tuple[Service, ...]:
        """Return the services that a limit or a goal is about, in the order of the program."""
        if entry.services is None:
            return self.services
        names = set(entry.services)
        return tuple(service for service in self.services if service.name in names)

    def _check_demand(self) -> None:
        pools = {pool.name for pool in self.pools}
        count = len(self.periods)
        for service in self.services:
            for column, pool, length in _demands(service.columns):
                where = f"column {column!r} of service {service.name!r}"
                if pool not in pools:
                    raise ProgramError(_missing(where, "pool", pool, pools))
                if length != count:
                    raise ProgramError(
                        f"demand of {where} on pool {pool!r} has {length} numbers; "
                        f"expected one for each of the {count} periods"
                    )

    def _check_references(self) -> None:
        pools = {pool.name for pool in self.pools}
        services = {service.name for service in self.services}
        for group in self.groups:
            for pool in group.pools:
                if pool not in pools:
                    raise ProgramError(_missing(f"quota group {group.name!r}", "pool", pool, pools))
        for limit in self.limits:
            self._check_concerned(limit, services, where=f"limit {limit.name!r}")
        for goal in self.goals:
            self._check_concerned(goal, services, where=f"the goal {goal.attribute!r}")

    def _check_concerned(self, entry: Limit | Goal, services: set[str], *, where: str) -> None:
        for name in entry.services or ():
            if name not in services:
                raise ProgramError(_missing(where, "service", name, services))
        concerned = self.concerned(entry)
        self._check_attribute(entry.attribute, concerned, where=where)
        if entry.aggregate is Aggregate.MEAN and not sum(service.weight for service in concerned) > 0:
            raise ProgramError(f"{where} is a mean over services of weight 0; expected a positive weight")

    def _check_attribute(self, attribute: str, services: Iterable[Service], *, where: str) -> None:
        if attribute == COST:
            return
        for service in services:
            if isinstance(service.columns, Table) and attribute in service.columns.attributes:
                continue
            for column in service.columns:
                if attribute not in column.attributes:
                    raise ProgramError(
                        f"{where} is about {attribute!r}, which column {column.name!r} of service {service.name!r} "
                        f"does not have; expected a value for it (there: {_listed(column.attributes)})"
                    )

    def __str__(self) -> str:
        """Return the program as text: first goal, rows C1 to C8, domains."""
        from advisor.solver.rows import formulate  # noqa: PLC0415  (rows are built from programs)

        return str(formulate(self))


def _demands(columns: Sequence[Column]) -> Iterator[tuple[str, str, int]]:
    """Yield each column's name with each pool that it uses and the length of its demand; of a table one column a pool."""
    if isinstance(columns, Table):
        for pool, use in columns.demand.items():
            yield columns.names[int(use.at[0])] if len(use.at) else "", pool, use.counts.shape[1]
        return
    for column in columns:
        for pool, counts in column.demand.items():
            yield column.name, pool, len(counts)


def _missing(where: str, what: str, name: str, known: Iterable[str]) -> str:
    return f"{where} names the {what} {name!r}, which the program does not have; expected one of: {_listed(known)}"


def _listed(names: Iterable[str], *, most: int = 8) -> str:
    ordered = sorted(names)
    return ", ".join(ordered[:most]) + (", …" if len(ordered) > most else "") if ordered else "none"
