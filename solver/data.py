"""Sets of the integer program: services with candidate columns, pools with plans, periods, limits, goals."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from advisor.solver.columns import COST, Column, finite, named, unique
from advisor.solver.errors import ProgramError
from advisor.solver.tables import names_of


class PlanKind(StrEnum):
    """How instances of a plan are paid for."""

    COMMITTED = "committed"
    HOURLY = "hourly"


class Aggregate(StrEnum):
    """How a limit or a goal combines the attribute of the chosen columns over services."""

    SUM = "sum"
    MEAN = "mean"
    EACH = "each"


@dataclass(frozen=True, slots=True)
class Period:
    """A part of the month with constant demand; `hours_per_month` is its weight."""

    name: str
    hours_per_month: float

    def __post_init__(self) -> None:
        named(self.name, what="period")
        finite(self.hours_per_month, where=f"hours_per_month of period {self.name!r}", at_least=0)
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
        named(self.name, what="plan")
        where = f"of plan {self.name!r}"
        object.__setattr__(self, "kind", PlanKind(self.kind))
        finite(self.usd_per_h, where=f"usd_per_h {where}", at_least=0)
        finite(self.max_share_of_use, where=f"max_share_of_use {where}", at_least=0, at_most=1)
        if self.quota is not None:
            _whole(self.quota, where=f"quota {where}")
        if self.kind is PlanKind.COMMITTED and self.max_share_of_use < 1:
            raise ProgramError(
                f"max_share_of_use {where} is {self.max_share_of_use:g}; only hourly plans can have one below 1"
            )


def _whole(value: float, *, where: str) -> None:
    finite(value, where=where, at_least=0)
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
        named(self.name, what="pool")
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
        named(self.name, what="quota group")
        unique(self.pools, what=f"pool of quota group {self.name!r}")
        _whole(self.max_instances, where=f"max_instances of quota group {self.name!r}")


@dataclass(frozen=True, slots=True)
class Service:
    """Something that runs under exactly one of its columns; `weight` is its share in fleet means."""

    name: str
    columns: Sequence[Column]
    weight: float = 1.0

    def __post_init__(self) -> None:
        named(self.name, what="service")
        unique(names_of(self.columns), what=f"column of service {self.name!r}")
        if not self.columns:
            raise ProgramError(f"service {self.name!r} has no column; expected at least one candidate")
        finite(self.weight, where=f"weight of service {self.name!r}", at_least=0)


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
        named(self.name, what="limit")
        object.__setattr__(self, "aggregate", Aggregate(self.aggregate))
        finite(self.bound, where=f"bound of limit {self.name!r}")
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
