"""A mix evaluated exactly: each part of the traffic on its machines, as a service of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import fsum
from typing import TYPE_CHECKING

import numpy as np

from advisor.explanation import chosen_options, latencies
from advisor.formulation import Extra, busiest_latency_s, pool_of, quota_groups
from advisor.mixing.carriers import own_costs
from advisor.preparation import Prepared
from advisor.sizes import Sizes, Span, part_of, share_of
from advisor.solver import Column, Pool
from advisor.verification import TOLERANCE, EvaluationDisagreement, evaluated_alone, verify

if TYPE_CHECKING:
    from advisor.plans import Plans
    from advisor.strategy import Option
    from advisor.terms import Terms

MIX = "mix"
"""Name of a mix among the columns of its service."""
ENGINEER_HOURS = 40.0
"""Assumed: working hours to set up one more pool of machines for a service: routing by size, deployment, dashboards, alarms."""
ENGINEER_HOURS_PER_MONTH = 4.0
"""Assumed: working hours a month to operate one more pool of machines."""


def effort_usd(one: Prepared) -> tuple[float, float]:
    """Return what one more pool of machines for a service takes: once, in USD, and in USD a month."""
    rate = one.evaluation.workload.engineer_usd_per_h
    return ENGINEER_HOURS * rate, ENGINEER_HOURS_PER_MONTH * rate


@dataclass(frozen=True, slots=True)
class Part:
    """Requests of some sizes on machines of one kind.

    Args:
        spans: Which requests.
        service: They as a service of its own, its one plan evaluated for them alone.
        candidate: Position in the plans of the offer.
    """

    spans: tuple[Span, ...]
    service: Prepared
    candidate: int

    @property
    def share(self) -> float:
        """Share of all requests."""
        return share_of(self.spans)

    @property
    def options(self) -> tuple[tuple[str, Option], ...]:
        """Option of each strategy."""
        return chosen_options(self.service.evaluation, self.service.plans, 0)

    @property
    def kept(self) -> bool:
        """Whether any number of machines keeps the limits."""
        return len(self.service.plans) > 0 and float(self.service.plans.capacity_requests_per_s[0]) > 1e-9


@dataclass(frozen=True, slots=True)
class Mixed:
    """A service on several pools of machines, the parts with smaller requests first."""

    parts: tuple[Part, ...]

    @property
    def one_time_usd(self) -> float:
        """Cost of every change, each counted once, and of setting up what is operated beside the first pool of machines."""
        return own_costs(self.parts[0].service.evaluation, self._options)[0] + self._more * self._effort[0]

    @property
    def own_usd_per_month(self) -> float:
        """What belongs to the mix beside its machines."""
        workload = self.parts[0].service.evaluation.workload
        running = own_costs(self.parts[0].service.evaluation, self._options)[1]
        electricity = fsum(
            float(part.service.plans.own_usd_per_month[0])
            - float(part.service.plans.one_time_usd[0]) / workload.horizon_months
            - own_costs(part.service.evaluation, part.options)[1]
            for part in self.parts
        )
        return (
            self.one_time_usd / workload.horizon_months + running + electricity + self._more * self._effort[1]
        )

    @property
    def cost_usd_per_month(self) -> float:
        """Machines, each part buying for itself, and what belongs to the mix."""
        machines = fsum(float(part.service.plans.machine_usd_per_month[0]) for part in self.parts)
        return machines + self.own_usd_per_month

    @property
    def _more(self) -> int:
        return len(self.parts) - 1

    @property
    def _effort(self) -> tuple[float, float]:
        return effort_usd(self.parts[0].service)

    @property
    def _options(self) -> list[tuple[str, Option]]:
        found = {(name, option.id): (name, option) for part in self.parts for name, option in part.options}
        return list(found.values())

    def services(self) -> tuple[Prepared, ...]:
        """Return the parts as services whose own costs add up to those of the mix: the first one carries them."""
        first = True
        found = []
        for part in self.parts:
            plans = part.service.plans
            own, once = (self.own_usd_per_month, self.one_time_usd) if first else (0.0, 0.0)
            plans = replace(plans, own_usd_per_month=np.array([own]), one_time_usd=np.array([once]))
            found.append(replace(part.service, plans=plans))
            first = False
        return tuple(found)

    def keeps_accuracy(self, terms: Terms) -> bool:
        """Return whether the expected loss over all requests is within its limit."""
        limit = terms.loss_ratio.get(None)
        return limit is None or terms.confidence is not None or self.loss_ratio <= limit + 1e-12

    def within_quotas(self, terms: Terms) -> bool:
        """Return whether no more machines of a type are used at a time than its quota."""
        extra = self.as_extra()
        groups = quota_groups(terms, {pool.name: pool for pool in extra.pools})
        uses = (np.sum([extra.column.demand[pool] for pool in group.pools], axis=0) for group in groups)
        return all(float(use.max()) <= group.max_instances for use, group in zip(uses, groups, strict=True))

    def as_extra(self) -> Extra:
        """Return the mix as a column of its service, with the pools that it buys from."""
        plans = [part.service.plans for part in self.parts]
        slowest = [busiest_latency_s(part.service.evaluation, part.service.plans) for part in self.parts]
        attributes = {
            "accuracy_loss_ratio": self.loss_ratio,
            "carbon_kg_per_month": fsum(float(one.carbon_kg_per_month[0]) for one in plans),
            "one_time_usd": self.one_time_usd,
            "latency_s": max(float(one[0]) for one in slowest),
        }
        demand: dict[str, tuple[float, ...]] = {}
        pools: dict[str, Pool] = {}
        for part in self.parts:
            pool = pool_of(part.service.evaluation, part.service.plans, 0)
            pools[pool.name] = pool
            counts = part.service.plans.instances[0].tolist()
            before = demand.get(pool.name, (0.0,) * len(counts))
            demand[pool.name] = tuple(a + b for a, b in zip(before, counts, strict=True))
        return Extra(Column(MIX, self.own_usd_per_month, attributes, demand), tuple(pools.values()))

    @property
    def loss_ratio(self) -> float:
        """Expected accuracy loss over all requests."""
        return fsum(part.share * float(part.service.plans.loss_ratio[0]) for part in self.parts)


def part(one: Prepared, plans: Plans, position: int, spans: Sequence[Span]) -> Part:
    """Return a candidate serving the requests of some spans and nothing else, evaluated from the beginning."""
    share = share_of(spans)
    workload = part_of(one.evaluation.workload, spans)
    terms = replace(one.terms, min_requests_per_s=one.terms.min_requests_per_s * share)
    alone, found = evaluated_alone(one.evaluation, plans, position, terms, one.strategies, workload=workload)
    service = Prepared(terms, alone, one.before, found, one.requirements, one.strategies, one.priority)
    return Part(tuple(spans), service, position)


def verify_mix(one: Prepared) -> None:
    """Evaluate every part of the mix of a service once more, and see that the parts are the whole and that each keeps every latency.

    Raises:
        EvaluationDisagreement: A figure differs by more than `TOLERANCE`, relatively.
    """
    mixed, sizes = one.mixed, Sizes.of(one.evaluation.workload)
    assert mixed is not None  # noqa: S101 - it was chosen
    for each in mixed.parts:
        verify(each.service.evaluation, each.service.plans, 0, each.service.terms, one.strategies)
        _keeps_limits(each)
    if not mixed.keeps_accuracy(one.terms):
        raise EvaluationDisagreement.on("the accuracy loss", one.terms.loss_ratio[None], mixed.loss_ratio)
    mean = fsum(each.share * sizes.within(each.spans).mean for each in mixed.parts)
    rate = sum(each.service.evaluation.periods.requests_per_s for each in mixed.parts)
    pairs = {
        "the share of requests": (1.0, fsum(each.share for each in mixed.parts)),
        "the size of a request": (sizes.distribution.mean, mean),
        "the peak rate": (one.evaluation.periods.peak_requests_per_s, float(np.max(rate))),
    }
    for what, (whole, together) in pairs.items():
        if abs(whole - together) > TOLERANCE * max(1.0, abs(whole)):
            raise EvaluationDisagreement.on(what, whole, together)


def _keeps_limits(each: Part) -> None:
    confidence = each.service.terms.confidence
    if confidence is not None and confidence > 0.5:
        return
    predicted = latencies(each.service.evaluation, each.service.plans, 0)
    for name, limit in each.service.terms.latency_s.items():
        reached = predicted[name][0]
        if reached > limit * (1.0 + TOLERANCE):
            raise EvaluationDisagreement.on(f"{name} of {each.service.name}", limit, reached)
