"""Sets of a mix: buckets of requests, carriers that take shares of them, and what comes out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from advisor.solver.columns import unique
from advisor.solver.data import Period, Pool, QuotaGroup
from advisor.solver.errors import ProgramError
from advisor.solver.results import SolverReport


@dataclass(frozen=True, slots=True)
class Bucket:
    """Requests of one size; `requests` has one number for each period, by which losses are weighed."""

    name: str
    requests: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Carrier:
    """Machines of one pool that take a part of the traffic.

    Attributes:
        name: Unique within the mix.
        pool: Pool that its instances are bought from.
        load: Bucket name to the instances that the whole bucket keeps busy, one number for each period; a bucket
            without an entry is not routed here.
        cost_usd_per_month: What using the carrier costs at all, beside its instances.
        loss_ratio: Loss of a request served here, in the unit of the limit.
    """

    name: str
    pool: str
    load: Mapping[str, tuple[float, ...]]
    cost_usd_per_month: float = 0.0
    loss_ratio: float = 0.0

    @classmethod
    def serving(
        cls, name: str, pool: str, rates: Mapping[str, float], most: Mapping[str, float]
    ) -> "Carrier":
        """Return a carrier in one period from the rate of each bucket and the most that one instance carries of it.

        Example:
            >>> Carrier.serving("small", "l4", {"short": 6.0, "long": 1.0}, {"short": 2.0, "long": 0.0}).load
            {'short': (3.0,)}
        """
        return cls(name, pool, {bucket: (rates[bucket] / rate,) for bucket, rate in most.items() if rate > 0})


@dataclass(frozen=True, slots=True)
class Mixing:
    """One service to be mixed; the module docstring states it in mathematical notation.

    Attributes:
        most_carriers: Most carriers that may be used, None is no limit.
        loss_limit: Largest mean loss over all requests, None is no limit.
        steady: Whether routing is the same in all periods.
    """

    buckets: tuple[Bucket, ...]
    carriers: tuple[Carrier, ...]
    periods: tuple[Period, ...]
    pools: tuple[Pool, ...]
    groups: tuple[QuotaGroup, ...] = ()
    most_carriers: int | None = None
    loss_limit: float | None = None
    steady: bool = False

    def __post_init__(self) -> None:
        for what in ("buckets", "carriers", "periods", "pools", "groups"):
            unique((entry.name for entry in getattr(self, what)), what=f"one of the {what}")
        if not (self.buckets and self.carriers and self.periods):
            raise ProgramError("a mix needs at least one bucket, one carrier and one period")
        for bucket in self.buckets:
            self._check(bucket.requests, f"requests of bucket {bucket.name!r}")
        self._check_names()

    def _check_names(self) -> None:
        pools, buckets = {pool.name for pool in self.pools}, {bucket.name for bucket in self.buckets}
        for carrier in self.carriers:
            if carrier.pool not in pools:
                raise ProgramError(
                    f"carrier {carrier.name!r} is in pool {carrier.pool!r}; expected one of the pools"
                )
            for bucket, load in carrier.load.items():
                if bucket not in buckets:
                    raise ProgramError(
                        f"carrier {carrier.name!r} has a load of {bucket!r}; expected one of the buckets"
                    )
                self._check(load, f"load of bucket {bucket!r} on carrier {carrier.name!r}")
        for group in self.groups:
            if not set(group.pools) <= pools:
                raise ProgramError(f"quota group {group.name!r} names a pool that the mix does not have")

    def _check(self, numbers: Sequence[float], where: str) -> None:
        if len(numbers) != len(self.periods) or not all(isfinite(n) and n >= 0 for n in numbers):
            raise ProgramError(
                f"{where} is {tuple(numbers)!r}; expected a finite number of at least 0 for each of the "
                f"{len(self.periods)} periods"
            )


@dataclass(frozen=True, slots=True)
class Mix:
    """Who serves what, on how many instances; evaluated again from the data.

    Attributes:
        shares: Bucket and carrier name to the share routed there in each period; only pairs with any.
        instances: Carrier name to instances in each period; only carriers that are used.
        cost_usd_per_month: Carriers and their instances, bought in the cheapest way.
        loss_ratio: Mean loss over all requests.
    """

    shares: Mapping[tuple[str, str], tuple[float, ...]]
    instances: Mapping[str, tuple[int, ...]]
    cost_usd_per_month: float
    loss_ratio: float


@dataclass(frozen=True, slots=True)
class MixResult:
    """Report and, unless there is none, the mix."""

    report: SolverReport
    mix: Mix | None
