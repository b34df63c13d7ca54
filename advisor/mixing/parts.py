"""A mix evaluated exactly: each part of the traffic on its machines, as a service of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import fsum
from typing import TYPE_CHECKING

import numpy as np

from advisor.explanation import chosen_options
from advisor.formulation import Extra, busiest_latency_s, pool_of, quota_groups
from advisor.mixing.carriers import own_costs
from advisor.mixing.latency import takes_both
from advisor.preparation import Prepared
from advisor.sizes import Span, part_of, share_of
from advisor.solver import Column, Pool
from advisor.stages import Stage, stage_terms
from advisor.verification import evaluated_alone

if TYPE_CHECKING:
    from advisor.accuracy import LossDistribution
    from advisor.evaluation import Evaluation
    from advisor.models import ModelSpec
    from advisor.plans import Plans
    from advisor.strategy import Option
    from advisor.terms import Terms

MIX = "mix"
"""Name of a mix among the columns of its service."""
ENGINEER_HOURS = 40.0
"""Assumed: working hours to set up one more pool of machines for a service: routing by size, deployment, dashboards, alarms."""
ENGINEER_HOURS_PER_MONTH = 4.0
"""Assumed: working hours a month to operate one more pool of machines."""

WORK = (
    f"assumed: {ENGINEER_HOURS:g} hours to set up and {ENGINEER_HOURS_PER_MONTH:g} hours a month to operate one more pool of "
    "machines"
)
"""The same in words, as the source of a number."""


def effort_usd(one: Prepared) -> tuple[float, float]:
    """Return what one more pool of machines for a service takes: once, in USD, and in USD a month."""
    rate = one.evaluation.workload.engineer_usd_per_h
    return ENGINEER_HOURS * rate, ENGINEER_HOURS_PER_MONTH * rate


@dataclass(frozen=True, slots=True)
class Part:
    """Requests of some sizes, or those that one model of a cascade answers, on machines of one kind.

    Args:
        spans: Which requests, by their sizes; none in a cascade.
        service: They as a service of its own, its one plan evaluated for them alone.
        candidate: Position in the plans of the offer.
        stage: Which model of a cascade; `None` where the size decides.
    """

    spans: tuple[Span, ...]
    service: Prepared
    candidate: int
    stage: Stage | None = None

    @property
    def share(self) -> float:
        """Share of all requests that are answered here."""
        return self.stage.answered_ratio if self.stage else share_of(self.spans)

    @property
    def options(self) -> tuple[tuple[str, Option], ...]:
        """Option of each strategy."""
        return chosen_options(self.service.evaluation, self.service.plans, 0)

    @property
    def kept(self) -> bool:
        """Whether any number of machines keeps the limits."""
        return len(self.service.plans) > 0 and float(self.service.plans.capacity_requests_per_s[0]) > 1e-9


@dataclass(frozen=True, slots=True)
class Handing:
    """How the small model of a cascade hands requests on to the main one.

    Args:
        strategy: Strategy that offers it.
        option: Its option.
        small: The small model.
        escalated_ratio: Share of the requests that the main model answers.
        losses: What handing on loses over all requests, by class of task; `None` is the workload's own.
    """

    strategy: str
    option: Option
    small: ModelSpec
    escalated_ratio: float
    losses: Mapping[str | None, LossDistribution]

    def costs_usd(self, evaluation: Evaluation) -> tuple[float, float]:
        """Return what handing on costs once, in USD, and in USD a month, without the second pool of machines."""
        return own_costs(evaluation, [(self.strategy, self.option)])


@dataclass(frozen=True, slots=True)
class Mixed:
    """A service on several pools of machines: the parts with smaller requests first, or the smaller model.

    Args:
        parts: What each pool serves.
        handing: How requests are handed on; `None` where their size decides.
        beside: The best mix of the other kind that was found, which is dearer.
        proof: What is proven of it, in a sentence; empty where nothing is.
    """

    parts: tuple[Part, ...]
    handing: Handing | None = None
    beside: Mixed | None = None
    proof: str = ""

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
        found = {
            (part.service.evaluation.workload.model.name, name, option.id): (name, option)
            for part in self.parts
            for name, option in part.options
        }
        handed = [(self.handing.strategy, self.handing.option)] if self.handing else []
        return [*found.values(), *handed]

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
            "latency_s": (sum if takes_both(self) else max)(float(one[0]) for one in slowest),
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
        handed = self.handing.losses[None].expected_ratio if self.handing else 0.0
        return handed + fsum(part.share * float(part.service.plans.loss_ratio[0]) for part in self.parts)


def part(one: Prepared, plans: Plans, position: int, spans: Sequence[Span]) -> Part:
    """Return a candidate serving the requests of some spans and nothing else, evaluated from the beginning."""
    share = share_of(spans)
    workload = part_of(one.evaluation.workload, spans)
    terms = replace(one.terms, min_requests_per_s=one.terms.min_requests_per_s * share)
    alone, found = evaluated_alone(one.evaluation, plans, position, terms, one.strategies, workload=workload)
    service = Prepared(terms, alone, one.before, found, one.requirements, one.strategies, one.priority)
    return Part(tuple(spans), service, position)


def stage_part(one: Prepared, stage: Stage, evaluation: Evaluation, plans: Plans, position: int) -> Part:
    """Return a candidate of one model of a cascade serving what reaches it, evaluated from the beginning.

    Args:
        one: The service.
        stage: Which model.
        evaluation: Of the candidates of that stage.
        plans: Candidates.
        position: The one to serve.
    """
    terms = stage_terms(one.terms, stage)
    workload = evaluation.workload
    alone, found = evaluated_alone(evaluation, plans, position, terms, one.strategies, workload=workload)
    service = Prepared(terms, alone, one.before, found, one.requirements, one.strategies, one.priority)
    return Part((), service, position, stage)
