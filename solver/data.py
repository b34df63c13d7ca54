"""Sets of the integer program: services with candidate columns, pools with plans, periods, limits, goals."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf, isfinite
from typing import Final

from advisor.solver.errors import ProgramError

COST: Final = "cost_usd_per_month"
"""Name of the total cost (columns plus purchases) where an attribute is expected, in USD per month."""


class PlanKind(StrEnum):
    """How instances of a plan are paid for."""

    COMMITTED = "committed"
    HOURLY = "hourly"


class Aggregate(StrEnum):
    """How a limit or a goal combines the attribute of the chosen columns over services."""

    SUM = "sum"
    MEAN = "mean"
    EACH = "each"


def _finite(value: float, *, where: str, at_least: float = -inf, at_most: float = inf) -> None:
    if not (isfinite(value) and at_least <= value <= at_most):
        low = "" if at_least == -inf else f" of at least {at_least:g}"
        high = "" if at_most == inf else f"{' and' if low else ' of'} at most {at_most:g}"
        raise ProgramError(f"{where} is {value!r}; expected a finite number{low}{high}")


def _named(name: str, *, what: str) -> None:
    if not name:
        raise ProgramError(f"a {what} has the name {name!r}; expected a text that is not empty")


@dataclass(frozen=True, slots=True)
class Period:
    """A part of the month with constant demand; `hours_per_month` is its weight."""

    name: str
    hours_per_month: float

    def __post_init__(self) -> None:
        _named(self.name, what="period")
        _finite(self.hours_per_month, where=f"hours_per_month of period {self.name!r}", at_least=0)
        if self.hours_per_month == 0:
            raise ProgramError(
                f"hours_per_month of period {self.name!r} is 0; expected more, or no such period"
            )


@dataclass(frozen=True, slots=True)
class Plan:
    """One way to buy instances of a pool.

    A committed plan is paid in every hour of every period, used or not, with one count for all periods.
    An hourly plan has its own count in each period; at most `max_share_of_use` of the instances in use in
    a period may come from it (spot beside a reliable floor). `quota` caps the count, None is no cap.
    """

    name: str
    kind: PlanKind
    usd_per_h: float
    max_share_of_use: float = 1.0
    quota: int | None = None

    def __post_init__(self) -> None:
        _named(self.name, what="plan")
        where = f"of plan {self.name!r}"
        object.__setattr__(self, "kind", PlanKind(self.kind))
        _finite(self.usd_per_h, where=f"usd_per_h {where}", at_least=0)
        _finite(self.max_share_of_use, where=f"max_share_of_use {where}", at_least=0, at_most=1)
        if self.quota is not None:
            _whole(self.quota, where=f"quota {where}")
        if self.kind is PlanKind.COMMITTED and self.max_share_of_use < 1:
            raise ProgramError(
                f"max_share_of_use {where} is {self.max_share_of_use:g}; only hourly plans can have one below 1"
            )


def _whole(value: float, *, where: str) -> None:
    _finite(value, where=where, at_least=0)
    if value != int(value):
        raise ProgramError(f"{where} is {value!r}; expected a whole number of instances")


@dataclass(frozen=True, slots=True)
class Pool:
    """Interchangeable instances (one type in one region) and the plans that buy them.

    An owned pool has no plans: its instances are paid for already and only count towards quotas.
    """

    name: str
    plans: tuple[Plan, ...] = ()
    owned: bool = False

    def __post_init__(self) -> None:
        _named(self.name, what="pool")
        unique((plan.name for plan in self.plans), what=f"plan of pool {self.name!r}")
        if bool(self.plans) == self.owned:
            given = "is owned and has plans" if self.owned else "has no plan and is not owned"
            raise ProgramError(
                f"pool {self.name!r} {given}; expected plans that buy its instances, or owned=True without any"
            )

    @property
    def committed(self) -> tuple[Plan, ...]:
        """Committed plans, cheapest first, equal prices by name."""
        return self._plans(PlanKind.COMMITTED)

    @property
    def hourly(self) -> tuple[Plan, ...]:
        """Hourly plans, cheapest first, equal prices by name."""
        return self._plans(PlanKind.HOURLY)

    def _plans(self, kind: PlanKind) -> tuple[Plan, ...]:
        chosen = (plan for plan in self.plans if plan.kind is kind)
        return tuple(sorted(chosen, key=lambda plan: (plan.usd_per_h, plan.name)))


@dataclass(frozen=True, slots=True)
class QuotaGroup:
    """At most `max_instances` of the instances of these pools together are in use in any period."""

    name: str
    pools: tuple[str, ...]
    max_instances: int

    def __post_init__(self) -> None:
        _named(self.name, what="quota group")
        unique(self.pools, what=f"pool of quota group {self.name!r}")
        _whole(self.max_instances, where=f"max_instances of quota group {self.name!r}")


@dataclass(frozen=True, slots=True)
class Column:
    """A candidate of a service.

    Attributes:
        name: Unique within the service.
        cost_usd_per_month: What belongs to the column alone (amortised one-time cost, energy, fees), in USD
            per month; instances are paid for by the plans of their pools.
        attributes: Attribute name to value, in the unit that the name ends in.
        demand: Pool name to instances in use, one number for each period in the order of the program.
    """

    name: str
    cost_usd_per_month: float
    attributes: Mapping[str, float] = field(default_factory=dict)
    demand: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _named(self.name, what="column")
        if not isfinite(self.cost_usd_per_month):
            _finite(self.cost_usd_per_month, where=f"{COST} of column {self.name!r}")
        if COST in self.attributes:
            raise ProgramError(
                f"column {self.name!r} has an attribute {COST!r}; expected that in cost_usd_per_month"
            )
        if not all(map(isfinite, self.attributes.values())):
            for name, value in self.attributes.items():
                _finite(value, where=f"attribute {name!r} of column {self.name!r}")
        for pool, counts in self.demand.items():
            if not all(map(isfinite, counts)) or min(counts, default=0) < 0:
                for count in counts:
                    _finite(count, where=f"demand of column {self.name!r} on pool {pool!r}", at_least=0)


@dataclass(frozen=True, slots=True)
class Service:
    """Something that runs under exactly one of its columns; `weight` is its share in fleet means."""

    name: str
    columns: tuple[Column, ...]
    weight: float = 1.0

    def __post_init__(self) -> None:
        _named(self.name, what="service")
        unique((column.name for column in self.columns), what=f"column of service {self.name!r}")
        if not self.columns:
            raise ProgramError(f"service {self.name!r} has no column; expected at least one candidate")
        _finite(self.weight, where=f"weight of service {self.name!r}", at_least=0)


@dataclass(frozen=True, slots=True)
class Limit:
    """An upper bound on an attribute of the chosen columns, or on the total cost.

    Attributes:
        name: Unique within the program; a conflict is reported under it.
        attribute: An attribute of every column of the services concerned, or `COST`.
        bound: Largest value that is allowed, in the unit of the attribute.
        aggregate: Sum over services, mean weighted by `Service.weight`, or each service by itself.
        services: Names of the services concerned; None is all of them. `COST` always concerns all.
    """

    name: str
    attribute: str
    bound: float
    aggregate: Aggregate = Aggregate.SUM
    services: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        _named(self.name, what="limit")
        object.__setattr__(self, "aggregate", Aggregate(self.aggregate))
        _finite(self.bound, where=f"bound of limit {self.name!r}")
        if self.attribute == COST and (self.aggregate is not Aggregate.SUM or self.services is not None):
            raise ProgramError(
                f"limit {self.name!r} is on the total cost; expected the sum over all services"
            )
        if self.services is not None and not self.services:
            raise ProgramError(f"limit {self.name!r} concerns no service; expected names, or None for all")


@dataclass(frozen=True, slots=True)
class Goal:
    """Something to minimise: an attribute summed or averaged over services (None is all), or `COST`."""

    attribute: str = COST
    aggregate: Aggregate = Aggregate.SUM
    services: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "aggregate", Aggregate(self.aggregate))
        if self.aggregate is Aggregate.EACH:
            raise ProgramError(
                f"the goal {self.attribute!r} has the aggregate 'each'; expected 'sum' or 'mean'"
            )
        if self.attribute == COST and (self.aggregate is not Aggregate.SUM or self.services is not None):
            raise ProgramError("a goal is a part of the total cost; expected the sum over all services")


def unique(names: Iterable[str], *, what: str) -> None:
    """Raise a `ProgramError` that names the first of `names` occurring twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ProgramError(f"two entries are called {name!r} as {what}; expected each name once")
        seen.add(name)
