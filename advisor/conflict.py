"""Requirements that may be relaxed, each with the nearest value that works, and the cheapest plan under any of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import TYPE_CHECKING

import numpy as np

from advisor.formulation import machine_of, within_quotas
from advisor.plans import Plans, feasible_plans
from advisor.units import format_bytes, format_ratio, format_seconds, format_usd

if TYPE_CHECKING:
    from advisor.evaluation import Evaluation
    from advisor.terms import Terms

HALVINGS = 7
SMALLEST_LOSS_RATIO = 0.001
"""A limit of no loss at all is loosened in steps of this."""
DEARER = 2.0
"""How much dearer a plan at the nearest latency may be than one without that limit."""


@dataclass(frozen=True, slots=True)
class Found:
    """The cheapest plan under some terms."""

    plans: Plans
    position: int

    @property
    def cost_usd_per_month(self) -> float:
        """Its cost."""
        return float(self.plans.cost_usd_per_month[self.position])


@dataclass(frozen=True, slots=True)
class Question:
    """One requirement that may be relaxed.

    Args:
        key: Its name, as in the requirements.
        title: Its name for a reader.
        given: Its value for a reader.
        without: The terms without it.
        nearest: The terms with the nearest value that works, its text, and how much looser it is, as a share; or `None`
            where it is no number.
    """

    key: str
    title: str
    given: str
    without: Terms
    nearest: Callable[[], tuple[Terms, str, float] | None]


def cheapest(evaluation: Evaluation, terms: Terms) -> Found | None:
    """Return the cheapest plan that meets all requirements, or `None`."""
    plans = feasible_plans(evaluation, terms)
    meets = np.flatnonzero(meets_totals(evaluation, plans, terms))
    if not len(meets):
        return None
    return Found(plans, int(meets[np.argmin(plans.cost_usd_per_month[meets])]))


def meets_totals(evaluation: Evaluation, plans: Plans, terms: Terms) -> np.ndarray:
    """Return which candidates keep budgets, carbon and quotas."""
    keep = np.ones(len(plans), dtype=bool)
    totals = {
        "cost": plans.cost_usd_per_month,
        "one-time": plans.one_time_usd,
        "carbon": plans.carbon_kg_per_month,
    }
    for name, bound in terms.totals.items():
        keep &= totals[name] <= bound + 1e-9 * abs(bound)
    keep &= within_quotas(evaluation, plans, terms)
    return keep


def questions(evaluation: Evaluation, terms: Terms) -> Iterator[Question]:
    """Yield the stated requirements, those that people relax last first."""
    yield from _quota_questions(evaluation, terms)
    yield from _total_questions(evaluation, terms)
    if terms.max_memory_bytes is not None:
        without = terms.with_memory(None)
        yield Question(
            "memory",
            "memory a replica",
            format_bytes(terms.max_memory_bytes),
            without,
            lambda: _nearest_memory(evaluation, terms, without),
        )
    yield from _latency_questions(evaluation, terms)
    yield from _accuracy_questions(evaluation, terms)


def _quota_questions(evaluation: Evaluation, terms: Terms) -> Iterator[Question]:
    for name, most in sorted(terms.quotas.items()):
        without = terms.with_quota(name, None)

        def nearest(
            name: str = name, most: int = most, without: Terms = without
        ) -> tuple[Terms, str, float] | None:
            plans = feasible_plans(evaluation, without)
            mine = np.array(
                [
                    name in {m.name, m.id}
                    for m in (machine_of(evaluation, plans, at) for at in range(len(plans)))
                ],
                dtype=bool,
            )
            keep = np.flatnonzero(meets_totals(evaluation, plans, without) & mine)
            if not len(keep):
                return None
            count = int(plans.instances[keep].max(axis=1).min())
            return terms.with_quota(name, count), str(count), looser(count, most, unit=1.0)

        yield Question(f"quota {name}", f"quota of {name}", str(most), without, nearest)


def _total_questions(evaluation: Evaluation, terms: Terms) -> Iterator[Question]:
    shown: dict[str, tuple[str, Callable[[float], str]]] = {
        "carbon": ("carbon a month", lambda kg: f"{kg:,.0f} kg"),
        "one-time": ("one-time budget", format_usd),
        "cost": ("budget a month", format_usd),
    }
    for name, (title, text) in shown.items():
        bound = terms.totals.get(name)
        if bound is None:
            continue
        without = terms.with_total(name, None)

        def nearest(
            name: str = name,
            bound: float = bound,
            text: Callable[[float], str] = text,
            without: Terms = without,
        ) -> tuple[Terms, str, float] | None:
            plans = feasible_plans(evaluation, without)
            keep = meets_totals(evaluation, plans, without)
            if not keep.any():
                return None
            values = {
                "cost": "cost_usd_per_month",
                "one-time": "one_time_usd",
                "carbon": "carbon_kg_per_month",
            }
            least = _rounded_up(float(getattr(plans, values[name])[keep].min()), digits=4)
            return terms.with_total(name, least), text(least), looser(least, bound, unit=1.0)

        yield Question(name, title, text(bound), without, nearest)


def _nearest_memory(evaluation: Evaluation, terms: Terms, without: Terms) -> tuple[Terms, str, float] | None:
    plans = feasible_plans(evaluation, without)
    keep = meets_totals(evaluation, plans, without)
    if not keep.any():
        return None
    least = float(evaluation.serving.replica.memory_bytes[plans.engine[keep]].min())
    return (
        terms.with_memory(least),
        format_bytes(least),
        looser(least, terms.max_memory_bytes or 0.0, unit=1.0),
    )


def _latency_questions(evaluation: Evaluation, terms: Terms) -> Iterator[Question]:
    limits = terms.latency_s
    for name, limit in sorted(limits.items()):
        without = terms.with_latency(name, None)

        def nearest(
            name: str = name, limit: float = limit, without: Terms = without
        ) -> tuple[Terms, str, float] | None:
            found = _nearest_latency(evaluation, terms, without, name, limit)
            if found is None:
                return None
            return terms.with_latency(name, found), format_seconds(found), looser(found, limit, unit=1e-6)

        yield Question(
            name,
            name.replace("_", " ").upper().replace("LATENCY", "latency").replace(" P", " p"),
            format_seconds(limit),
            without,
            nearest,
        )


def _nearest_latency(
    evaluation: Evaluation, terms: Terms, without: Terms, name: str, limit: float
) -> float | None:
    """Return the lowest limit, to three digits, that works for at most `DEARER` times the cost without it.

    Halves the logarithm between too low and enough. The bound on the cost is there because a limit just above the
    latency of an idle replica can always be bought with more and more of them.
    """
    free = cheapest(evaluation, without)
    if free is None:
        return None

    def works(limit_s: float) -> bool:
        found = cheapest(evaluation, terms.with_latency(name, limit_s))
        return found is not None and found.cost_usd_per_month <= DEARER * free.cost_usd_per_month

    low, high = limit, limit * 2.0
    while not works(high):
        low, high = high, high * 4.0
        if high > 1e6:
            return None
    for _ in range(HALVINGS):
        middle = (low * high) ** 0.5
        low, high = (low, middle) if works(middle) else (middle, high)
    return _rounded_up(high, digits=3)


def _accuracy_questions(evaluation: Evaluation, terms: Terms) -> Iterator[Question]:
    for task, limit in terms.loss_ratio.items():
        without = terms.with_loss(task, None)
        title = "accuracy loss" if task is None else f"accuracy loss on {task}"

        def nearest(
            task: str | None = task, limit: float = limit, without: Terms = without
        ) -> tuple[Terms, str, float] | None:
            plans = feasible_plans(evaluation, without)
            keep = np.flatnonzero(meets_totals(evaluation, plans, without))
            if not len(keep):
                return None
            losses = evaluation.losses if task is None else evaluation.slice_losses(task)
            confidence = terms.confidence
            needed = [
                np.inf
                if loss is None
                else loss.expected_ratio
                if confidence is None
                else loss.quantile(confidence)
                for loss in losses
            ]
            least = float(np.array(needed)[evaluation.engines.treatment[plans.engine[keep]]].min())
            rounded = ceil(least * 1e4 + 1e-6) / 1e4 + (0.0 if confidence is None else 1e-4)
            return (
                terms.with_loss(task, rounded),
                format_ratio(rounded),
                looser(rounded, limit, unit=SMALLEST_LOSS_RATIO),
            )

        yield Question(
            "max_accuracy_loss" if task is None else f"max_accuracy_loss {task}",
            title,
            format_ratio(limit),
            without,
            nearest,
        )


def looser(nearest: float, given: float, *, unit: float) -> float:
    """Return how much looser a value is than what was given, as a share of it, at least of a smallest unit.

    Example:
        >>> looser(1.2, 1.0, unit=0.1), looser(0.02, 0.0, unit=0.001)
        (0.19999999999999996, 20.0)
    """
    return (nearest - given) / max(given, unit)


def _rounded_up(value: float, *, digits: int) -> float:
    """Return the value rounded up to so many digits.

    Example:
        >>> _rounded_up(0.94012, digits=3), _rounded_up(1234.0, digits=2)
        (0.941, 1300.0)
    """
    if value <= 0.0:
        return 0.0
    scale = 10.0 ** (digits - 1 - floor(log10(value)))
    return ceil(value * scale * (1.0 - 1e-12)) / scale
