"""Rows M1 to M9 of a mix, as stated in `advisor.solver.mixing`."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from math import fsum

from advisor.solver.data import Plan, Pool
from advisor.solver.linear import Domain, Expression, LinearProgram, Row
from advisor.solver.mixing_data import Mixing
from advisor.solver.purchases import is_additive

Terms = list[tuple[int, float]]


class MixKind(StrEnum):
    """Constraint kinds of a mix, numbered as in the module docstring."""

    ROUTED = "M1"
    CARRIED = "M2"
    USED = "M3"
    CARRIERS = "M4"
    COVERAGE = "M5"
    SHARE = "M6"
    PLAN_QUOTA = "M7"
    GROUP_QUOTA = "M8"
    LOSS = "M9"


class MixFormulation:
    """Collects variables first, then rows, in the order of the module docstring."""

    def __init__(self, mixing: Mixing) -> None:
        self.mixing = mixing
        self.names: list[str] = []
        self.domains: list[Domain] = []
        self.share_at: dict[tuple[str, str], list[int]] = {}
        self.count_at: dict[str, list[int]] = {}
        self.used_at: dict[str, int] = {}
        self.bought_at: dict[tuple[str, str], list[int]] = {}
        self.bought = [pool for pool in mixing.pools if not (pool.owned or is_additive(pool))]

    def program(self) -> LinearProgram:
        """Return the integer program."""
        self._add_variables()
        rows = [*self._routing(), *self._used(), *self._purchases(), *self._quotas(), *self._loss()]
        return LinearProgram("cost_usd_per_month", _expression(self._cost()), rows, self.names, self.domains)

    def shares(self, values: Sequence[float]) -> dict[tuple[str, str], list[float]]:
        """Return the shares among the values of all variables, by bucket and carrier, one for each period."""
        return {pair: [max(values[at], 0.0) for at in places] for pair, places in self.share_at.items()}

    def counts(self, values: Sequence[float]) -> dict[str, list[float]]:
        """Return the instances of each carrier among the values of all variables, one for each period."""
        return {name: [values[at] for at in places] for name, places in self.count_at.items()}

    def _variable(self, name: str, domain: Domain) -> int:
        self.names.append(name)
        self.domains.append(domain)
        return len(self.names) - 1

    def _by_period(self, label: str, domain: Domain, *, steady: bool = False) -> list[int]:
        if steady:
            return [self._variable(f"{label}]", domain)] * len(self.mixing.periods)
        return [self._variable(f"{label},{period.name}]", domain) for period in self.mixing.periods]

    def _add_variables(self) -> None:
        mixing = self.mixing
        for carrier in mixing.carriers:
            for bucket in mixing.buckets:
                if bucket.name in carrier.load:
                    label = f"x[{bucket.name},{carrier.name}"
                    self.share_at[bucket.name, carrier.name] = self._by_period(
                        label, Domain.CONTINUOUS, steady=mixing.steady
                    )
        for carrier in mixing.carriers:
            self.count_at[carrier.name] = self._by_period(f"n[{carrier.name}", Domain.INTEGER)
            if mixing.most_carriers is not None or carrier.cost_usd_per_month > 0:
                self.used_at[carrier.name] = self._variable(f"y[{carrier.name}]", Domain.BINARY)
        for pool in self.bought:
            for plan in pool.committed:
                at = self._variable(f"r[{pool.name},{plan.name}]", Domain.INTEGER)
                self.bought_at[pool.name, plan.name] = [at] * len(mixing.periods)
            for plan in pool.hourly:
                self.bought_at[pool.name, plan.name] = self._by_period(
                    f"o[{pool.name},{plan.name}", Domain.INTEGER
                )

    def _steps(self) -> range:
        """Return the periods in which shares are variables of their own."""
        return range(1 if self.mixing.steady else len(self.mixing.periods))

    def _label(self, names: str, step: int) -> str:
        return names if self.mixing.steady else f"{names},{self.mixing.periods[step].name}"

    def _routing(self) -> Iterator[Row]:
        mixing = self.mixing
        for bucket in mixing.buckets:
            mine = [self.share_at[bucket.name, c.name] for c in mixing.carriers if bucket.name in c.load]
            for step in self._steps():
                terms = [(places[step], 1.0) for places in mine]
                yield Row(MixKind.ROUTED, self._label(bucket.name, step), _expression(terms), "=", 1.0)
        for carrier in mixing.carriers:
            for step, period in enumerate(mixing.periods):
                terms = [
                    (self.share_at[bucket, carrier.name][step], load[step])
                    for bucket, load in carrier.load.items()
                ]
                terms.append((self.count_at[carrier.name][step], -1.0))
                yield Row(MixKind.CARRIED, f"{carrier.name},{period.name}", _expression(terms), "<=", 0.0)

    def _used(self) -> Iterator[Row]:
        for (bucket, carrier), places in self.share_at.items():
            if carrier in self.used_at:
                for step in self._steps():
                    terms = [(places[step], 1.0), (self.used_at[carrier], -1.0)]
                    label = self._label(f"{bucket},{carrier}", step)
                    yield Row(MixKind.USED, label, _expression(terms), "<=", 0.0)
        if self.mixing.most_carriers is not None:
            terms = [(at, 1.0) for at in self.used_at.values()]
            yield Row(MixKind.CARRIERS, "", _expression(terms), "<=", float(self.mixing.most_carriers))

    def _use(self, pools: Sequence[str], step: int, factor: float) -> Terms:
        carriers = (carrier for carrier in self.mixing.carriers if carrier.pool in pools)
        return [(self.count_at[carrier.name][step], factor) for carrier in carriers]

    def _purchases(self) -> Iterator[Row]:
        for pool in self.bought:
            for step, period in enumerate(self.mixing.periods):
                label = f"{pool.name},{period.name}"
                terms = [(self.bought_at[pool.name, plan.name][step], 1.0) for plan in pool.plans]
                terms += self._use([pool.name], step, -1.0)
                yield Row(MixKind.COVERAGE, label, _expression(terms), ">=", 0.0)
            for plan in pool.plans:
                yield from self._plan(pool, plan)

    def _plan(self, pool: Pool, plan: Plan) -> Iterator[Row]:
        places = self.bought_at[pool.name, plan.name]
        for step, period in enumerate(self.mixing.periods):
            label = f"{pool.name},{plan.name},{period.name}"
            if plan.max_share_of_use < 1:
                terms = [(places[step], 1.0), *self._use([pool.name], step, -plan.max_share_of_use)]
                yield Row(MixKind.SHARE, label, _expression(terms), "<=", 0.0)
            if plan.quota is not None and (step == 0 or places[step] != places[0]):
                yield Row(MixKind.PLAN_QUOTA, label, _expression([(places[step], 1.0)]), "<=", plan.quota)

    def _quotas(self) -> Iterator[Row]:
        for group in self.mixing.groups:
            for step, period in enumerate(self.mixing.periods):
                terms = self._use(group.pools, step, 1.0)
                label = f"{group.name},{period.name}"
                yield Row(MixKind.GROUP_QUOTA, label, _expression(terms), "<=", float(group.max_instances))

    def _loss(self) -> Iterator[Row]:
        mixing = self.mixing
        if mixing.loss_limit is None:
            return
        total = fsum(count for bucket in mixing.buckets for count in bucket.requests)
        lost: dict[int, float] = {}
        for carrier in mixing.carriers:
            for bucket in mixing.buckets:
                places = self.share_at.get((bucket.name, carrier.name), ())
                for at, count in zip(places, bucket.requests, strict=False):
                    lost[at] = lost.get(at, 0.0) + count / total * carrier.loss_ratio
        yield Row(MixKind.LOSS, "", _expression(list(lost.items())), "<=", mixing.loss_limit)

    def _cost(self) -> Terms:
        mixing = self.mixing
        hours = [period.hours_per_month for period in mixing.periods]
        terms = [
            (self.used_at[c.name], c.cost_usd_per_month) for c in mixing.carriers if c.name in self.used_at
        ]
        free = [pool for pool in mixing.pools if not pool.owned and is_additive(pool)]
        for pool in free:
            for step, length in enumerate(hours):
                terms += self._use([pool.name], step, pool.hourly[0].usd_per_h * length)
        for pool in self.bought:
            for plan in pool.committed:
                terms.append((self.bought_at[pool.name, plan.name][0], plan.usd_per_h * fsum(hours)))
            for plan in pool.hourly:
                places = self.bought_at[pool.name, plan.name]
                terms += [(at, plan.usd_per_h * length) for at, length in zip(places, hours, strict=True)]
        return terms


def _expression(terms: Sequence[tuple[int, float]]) -> Expression:
    return Expression([at for at, _ in terms], [float(factor) for _, factor in terms])
