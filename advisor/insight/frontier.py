"""Cost against one limit, everything else held: the cheapest plan at each value, proven by bounds.

A tighter latency limit never raises the capacity of an engine, so the cost of an engine without latency limits is a
lower bound. Engines are evaluated from the lowest bound on, until the next bound is above the best plan found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from advisor.conflict import meets_totals
from advisor.errors import InputError
from advisor.insight.briefs import briefs
from advisor.insight.results import Frontier, FrontierPoint
from advisor.insight.space import admissible
from advisor.latency import metric_and_statistic
from advisor.plans import Plans, joined, plans_at, undominated

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from advisor.evaluation import Evaluation
    from advisor.terms import Terms

LOSS_RATIOS = (0.0, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.0125, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05)
LATENCY_FACTORS = (0.25, 0.35, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 4.0)
CONFIDENCES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
FIRST_BATCH = 64
_MOVED = ("latency_s", "loss_ratio", "totals", "quotas", "max_memory_bytes", "confidence")
SAME = 1e-9


@dataclass(frozen=True)
class Frontiers:
    """Solves for the cheapest plan under changed limits, reusing one evaluation.

    Args:
        evaluation: Of the candidates.
        terms: The requirements.
        recommended: The recommended plan alone.
        floor: Least cost of each engine under any latency limits, in USD per month; infinite where it serves nothing.
    """

    evaluation: Evaluation
    terms: Terms
    recommended: Plans
    floor: NDArray[np.float64]
    _known: dict[object, Plans | None] = field(default_factory=dict, repr=False, compare=False)

    def cheapest(self, terms: Terms) -> Plans | None:
        """Return the cheapest plan under some terms, alone, or `None`; solved once for terms alike."""
        key = tuple(
            tuple(sorted(part.items(), key=str)) if isinstance(part, dict) else part
            for part in (getattr(terms, name) for name in _MOVED)
        )
        if key not in self._known:
            self._known[key] = self._solved(terms)
        return self._known[key]

    def _solved(self, terms: Terms) -> Plans | None:
        left = np.flatnonzero(admissible(self.evaluation, terms) & np.isfinite(self.floor))
        left = left[np.argsort(self.floor[left], kind="stable")]
        best: Plans | None = None
        size = FIRST_BATCH
        while len(left):
            best = better(best, self._best_of(left[:size], terms))
            left, size = left[size:], size * 4
            if best is not None:
                left = left[self.floor[left] < _cost(best)]
        return best

    def _best_of(self, engines: NDArray[np.int64], terms: Terms) -> Plans | None:
        keep = np.zeros(len(self.floor), dtype=bool)
        keep[engines] = True
        capacity = self.evaluation.capacity_requests_per_s(
            terms.latency_limits, keep, confidence=terms.confidence
        )
        plans = plans_at(self.evaluation, terms, capacity, undominated(self.evaluation, capacity))
        plans = plans.take(meets_totals(self.evaluation, plans, terms))
        if not len(plans):
            return None
        order = np.lexsort((plans.carbon_kg_per_month, plans.loss_ratio, plans.cost_usd_per_month))
        return plans.take(order[:1])

    def along(
        self, values: Sequence[float], terms_at: Callable[[float], Terms], *, yours: float | None
    ) -> list[Plans | None]:
        """Return the cheapest plan at each value of a limit, from the tightest to the loosest.

        The cost never rises from one to the next: a plan within a tighter limit is within a looser one, too.

        Args:
            values: Of the limit, the tightest first.
            terms_at: The terms at a value.
            yours: The value in the requirements.
        """
        found: list[Plans | None] = []
        for value in values:
            best = self.at_yours() if value == yours else self.cheapest(terms_at(value))
            found.append(better(found[-1], best) if found and value != yours else best)
        return found

    def at_yours(self) -> Plans:
        """Return the recommended plan, or the cheapest where the objective is another than cost."""
        best = self.cheapest(self.terms)
        return (
            self.recommended
            if best is None or _cost(best) >= _cost(self.recommended) * (1.0 - SAME)
            else best
        )


def frontiers_of(evaluation: Evaluation, terms: Terms, recommended: Plans) -> Frontiers:
    """Return what solves for changed limits; evaluates every engine without latency limits once."""
    loosest = terms.with_loss(None, max(LOSS_RATIOS[-1], 2.0 * terms.loss_ratio.get(None, 0.0)))
    free = replace(loosest, latency_s={}, confidence=None)
    keep = admissible(evaluation, free)
    capacity = evaluation.capacity_requests_per_s({}, keep, confidence=None)
    rows = np.flatnonzero((capacity > 0.0).any(axis=1))
    plans = plans_at(evaluation, free, capacity, rows)
    floor = np.full(len(evaluation.engines), np.inf)
    np.minimum.at(floor, plans.engine, plans.cost_usd_per_month)
    return Frontiers(evaluation, terms, recommended, floor)


def frontiers(solver: Frontiers, wanted: Mapping[str, Sequence[float]] | None = None) -> tuple[Frontier, ...]:
    """Return cost against limits, each moved on its own.

    Args:
        solver: Of the evaluation.
        wanted: Values by limit, none for the usual ones; by default the accuracy limit, each latency limit, and the
            confidence asked for.

    Raises:
        InputError: A latency is not one of this kind of model.
    """
    terms = solver.terms
    usual = [
        "max_accuracy_loss",
        *sorted(terms.latency_s),
        *(["confidence"] if None in terms.loss_ratio else []),
    ]
    return tuple(
        _against(solver, name, values) for name, values in (wanted or dict.fromkeys(usual, ())).items()
    )


def _against(solver: Frontiers, name: str, values: Sequence[float]) -> Frontier:
    if name == "max_accuracy_loss":
        return _accuracy(solver, values or LOSS_RATIOS)
    return (
        _confidence(solver, values or CONFIDENCES) if name == "confidence" else _latency(solver, name, values)
    )


def _accuracy(solver: Frontiers, usual: Sequence[float]) -> Frontier:
    limit = solver.terms.loss_ratio.get(None)
    values = sorted({*usual, *([] if limit is None else [limit])})
    found = solver.along(values, lambda value: solver.terms.with_loss(None, value), yours=limit)
    points = _points(solver, zip(values, found, strict=True), yours=limit)
    return Frontier(requirement="max_accuracy_loss", title="accuracy loss", unit="ratio", points=points)


def _latency(solver: Frontiers, name: str, given: Sequence[float]) -> Frontier:
    metric, _ = metric_and_statistic(name)
    if metric not in solver.evaluation.serving.metrics:
        raise InputError(
            f"{name}: this model has no such latency; expected one of latency_p50, latency_p99, ..."
        )
    limit = solver.terms.latency_s.get(name)
    if limit is None and not given:
        raise InputError(
            f"{name}: nothing is asked of it; give the limit, or values to try, such as 200ms,400ms"
        )
    usual = (
        [] if limit is None else [limit if factor == 1.0 else limit * factor for factor in LATENCY_FACTORS]
    )
    values = sorted({*(given or usual), *([] if limit is None else [limit])})
    found = solver.along(values, lambda value: solver.terms.with_latency(name, value), yours=limit)
    points = _points(solver, zip(values, found, strict=True), yours=limit)
    return Frontier(requirement=name, title=latency_title(name), unit="s", points=points)


def _confidence(solver: Frontiers, usual: Sequence[float]) -> Frontier:
    asked = solver.terms.confidence
    values = sorted({*usual, *([] if asked is None else [asked])}, reverse=True)
    found = solver.along(values, lambda value: replace(solver.terms, confidence=value), yours=asked)
    points = _points(solver, zip(values, found, strict=True), yours=asked)
    return Frontier(
        requirement="confidence", title="confidence that the limits hold", unit="probability", points=points
    )


def latency_title(name: str) -> str:
    """Return a latency's name for a reader.

    Example:
        >>> latency_title("ttft_p99"), latency_title("latency_p95")
        ('TTFT p99', 'latency p95')
    """
    metric, _, statistic = name.partition("_")
    return f"{metric if metric == 'latency' else metric.upper()} {statistic}"


def _points(
    solver: Frontiers, found: Iterable[tuple[float, Plans | None]], *, yours: float | None
) -> tuple[FrontierPoint, ...]:
    pairs = list(found)
    plans = [plan for _, plan in pairs if plan is not None]
    described = iter(briefs(solver.evaluation, joined(plans), solver.terms) if plans else ())
    return tuple(
        FrontierPoint(limit=value, is_yours=value == yours, plan=None if plan is None else next(described))
        for value, plan in pairs
    )


def _cost(plan: Plans) -> float:
    return float(plan.cost_usd_per_month[0])


def better(first: Plans | None, second: Plans | None) -> Plans | None:
    """Return the cheaper of two plans, the first where they cost the same."""
    if first is None or second is None:
        return first if second is None else second
    return second if _cost(second) < _cost(first) * (1.0 - SAME) else first
