"""Mixed machines for one service: which requests go to which pool of machines, and whether that is worth it.

A program with continuous routing (`advisor.solver.mixing`) finds the mix from what each candidate carries of each size
alone. That is an estimate: what a machine carries of several sizes together is not the sum. So the mix found is
evaluated again with each part of the traffic as a service of its own, the estimate is corrected by the result, and the
cheapest exact mix becomes one more candidate of the service in the main program.

Every part keeps every percentile by itself, which is stricter than the limit on the whole. The limit on accuracy holds
on average over all requests, so one part may lose more and another less; with a confidence, each part keeps it. Operating another kind of
machine is work; it is part of the cost of a mix (`ENGINEER_HOURS`, `ENGINEER_HOURS_PER_MONTH`, assumed).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from advisor.mixing.carriers import Offer, covered_rates, mixing_of, offer
from advisor.mixing.cascade import best_cascade
from advisor.mixing.parts import (
    ENGINEER_HOURS,
    ENGINEER_HOURS_PER_MONTH,
    MIX,
    Mixed,
    Part,
    part,
)
from advisor.mixing.routing import Rule, rule_of
from advisor.mixing.verifying import verify_mix
from advisor.solver import Carrier, Mixing, SolverSettings, cheapest_mix

if TYPE_CHECKING:
    from advisor.catalog import Catalog
    from advisor.preparation import Prepared
    from advisor.requirements import Requirements
    from advisor.sizes import Span
    from advisor.strategy import Strategy
    from advisor.workload import Workload

__all__ = [
    "ENGINEER_HOURS",
    "ENGINEER_HOURS_PER_MONTH",
    "MIX",
    "Mixed",
    "Mixer",
    "Part",
    "best_mix",
    "in_parts",
    "verify_mix",
]

ROUNDS = 3
"""Most times that a mix is looked for, each time with capacities corrected by the exact ones of the last mix."""
STEPS = (0.01, 0.003)
"""Shares of the requests by which the threshold of the best mix is moved, to see whether that is cheaper."""
LOSSIER = 2.0
"""How many times the limit on accuracy a part of the requests may lose, where the average over all keeps it."""
ESTIMATE_GAP = 1e-3
"""Gap at which the estimate counts as solved: what follows it is exact."""


@dataclass(frozen=True, slots=True)
class Mixer:
    """Evaluates a service and looks for its best mix; it can be sent to a worker.

    Args:
        prepare: What evaluates the service.
        most: Most pools of machines.
        settings: Solver of the programs.
    """

    prepare: Callable[..., Prepared]
    most: int
    settings: SolverSettings

    def __call__(
        self,
        workload: Workload,
        requirements: Requirements,
        catalog: Catalog,
        strategies: Sequence[Strategy],
        **given: Any,
    ) -> Prepared:
        """Return the service with its best mix; what is `given` goes to `advisor.preparation.prepared`."""
        one = self.prepare(workload, requirements, catalog, strategies, **given)
        return replace(one, mixed=best_mix(one, self.settings, most=self.most))


def in_parts(services: Sequence[Prepared], chosen: Mapping[str, int]) -> list[Prepared]:
    """Return the services with their parts in place of those that are mixed: those without a chosen candidate."""
    found: list[Prepared] = []
    for one in services:
        found += [one] if one.name in chosen or one.mixed is None else one.mixed.services()
    return found


def best_mix(one: Prepared, settings: SolverSettings, *, most: int) -> Mixed | None:
    """Return the cheapest mix found for a service, by the sizes of requests or by a cascade; `None` where none is found.

    Args:
        one: Service, evaluated.
        settings: Solver of the program.
        most: Most pools of machines.
    """
    found = [mixed for mixed in (by_size(one, settings, most=most), best_cascade(one, settings)) if mixed]
    found.sort(key=lambda mixed: _rank(one, mixed))
    return replace(found[0], beside=found[1] if len(found) > 1 else None) if found else None


def by_size(one: Prepared, settings: SolverSettings, *, most: int) -> Mixed | None:
    """Return the cheapest mix by the sizes of requests; `None` where one pool alone is found to be cheaper."""
    if not len(one.plans):
        return None
    best = int(np.argmin(one.plans.cost_usd_per_month))
    average = one.terms.loss_ratio.get(None) is not None and one.terms.confidence is None
    offers = [offer(one, best, lossier=factor) for factor in ((1.0, LOSSIER) if average else (1.0,))]
    mixes = [
        (mixed, found)
        for found in offers
        for count in range(2, most + 1)
        for mixed in _mixes(one, found, best, settings, count)
    ]
    if not mixes:
        return None
    return _refined(one, *min(mixes, key=lambda pair: _rank(one, pair[0])))


def _rank(one: Prepared, mixed: Mixed) -> tuple[bool, float]:
    return not mixed.within_quotas(one.terms), mixed.cost_usd_per_month


def _refined(one: Prepared, mixed: Mixed, found: Offer) -> Mixed:
    """Return a mix with its threshold moved as long as that is cheaper, in ever smaller steps."""
    for step in STEPS if len(mixed.parts) == 2 else ():
        for move in (-step, step):
            edge = mixed.parts[0].spans[-1][1] + move
            while 0.0 < edge < 1.0:
                spans = (((0.0, edge),), ((edge, 1.0),))
                pairs = zip(mixed.parts, spans, strict=True)
                other = Mixed(tuple(part(one, found.plans, each.candidate, mine) for each, mine in pairs))
                if not _serves(one, other) or _rank(one, other) >= _rank(one, mixed):
                    break
                mixed, edge = other, edge + move
    return mixed


def _serves(one: Prepared, mixed: Mixed) -> bool:
    return all(each.kept for each in mixed.parts) and mixed.keeps_accuracy(one.terms)


def _mixes(one: Prepared, found: Offer, best: int, settings: SolverSettings, most: int) -> Iterator[Mixed]:
    """Yield mixes of at most so many pools of machines, evaluated exactly."""
    mixing = mixing_of(one, found, most=most, best=best)
    estimate = replace(settings, gap_ratio=max(settings.gap_ratio, ESTIMATE_GAP))
    tried = set()
    for _ in range(ROUNDS):
        mix = cheapest_mix(mixing, estimate).mix
        if mix is None or len(mix.instances) < 2:
            return
        rule = rule_of(mixing, mix, found.spans)
        if str(rule) in tried:
            return
        tried.add(str(rule))
        parts = [part(one, found.plans, int(name[1:]), spans) for name, spans in rule.items()]
        mixed = Mixed(tuple(sorted(parts, key=lambda each: each.spans)))
        if _serves(one, mixed):
            yield mixed
        mixing = _corrected(mixing, rule, found.spans, parts)


def _corrected(mixing: Mixing, rule: Rule, buckets: Sequence[Span], parts: Sequence[Part]) -> Mixing:
    """Return the program with the loads of the carriers that were used as they came out together."""
    known = {f"v{each.candidate}": each for each in parts}
    carriers = (
        _with_exact_load(carrier, _shares(rule[carrier.name], buckets), known[carrier.name])
        if carrier.name in known
        else carrier
        for carrier in mixing.carriers
    )
    return replace(mixing, carriers=tuple(carriers))


def _shares(spans: Sequence[Span], buckets: Sequence[Span]) -> dict[str, float]:
    """Return which share of each bucket is in some spans."""
    found = {}
    for number, (low, high) in enumerate(buckets):
        inside = sum(max(0.0, min(high, end) - max(low, start)) for start, end in spans)
        if inside > 0.0:
            found[f"b{number}"] = inside / (high - low)
    return found


def _with_exact_load(carrier: Carrier, shares: Mapping[str, float], each: Part) -> Carrier:
    """Return a carrier with its loads scaled; without its largest bucket where the limits do not hold together."""
    if not each.kept:
        largest = max(shares)
        return replace(carrier, load={name: load for name, load in carrier.load.items() if name != largest})
    estimate = np.sum([np.array(carrier.load[name]) * share for name, share in shares.items()], axis=0).max()
    service = each.service
    engine = service.plans.engine[0]
    most = service.plans.capacity_requests_per_s[0] * service.evaluation.serving.replica.per_instance[engine]
    exact = float(covered_rates(service, service.plans, 0).max() / most)
    ratio = exact / float(estimate) if estimate > 0.0 else 1.0
    return replace(
        carrier, load={name: tuple(part * ratio for part in load) for name, load in carrier.load.items()}
    )
