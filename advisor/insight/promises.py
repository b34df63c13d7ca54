"""What each promise costs: the best plan solved again with the promise moved, and where anything changes at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from advisor.insight.circumstances import Circumstances, cheapest_of, plans_in
from advisor.insight.frontier import LATENCY_FACTORS, latency_title
from advisor.insight.results import Breakpoint, PromisePoint, PromisePrice
from advisor.units import format_ratio, format_seconds, format_usd

if TYPE_CHECKING:
    from advisor.insight.frontier import Frontiers
    from advisor.insight.space import Space

LOSS_STEP = 0.001
LOSS_STEPS = tuple(range(-10, 21))
LATENCY_STEP = 0.1
HALVINGS = 5
HEADROOMS = (0.0, 0.01, 0.05, 0.10, 0.15, 0.20, 0.30, 0.50)
CARBON_CUTS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
TON_KG = 1000.0
LEAST_CARBON_KG = 100.0
"""Emissions a month below which a price for the ton would be that of a cut nobody can make: assumed."""
CHANGE = 1e-6
"""Relative changes of the cost below this are no change."""


@dataclass(frozen=True, slots=True)
class _Promise:
    """A promise and how to solve for another value of it; values rise from tight to loose."""

    requirement: str
    title: str
    unit: Literal["ratio", "s", "kg/month"]
    value: float
    step: float
    step_text: str
    values: Sequence[float]
    solve: Callable[[float], float | None]
    shown: Callable[[float], str]


def promises(space: Space, solver: Frontiers) -> tuple[PromisePrice, ...]:
    """Return the price of accuracy, each latency, headroom and carbon."""
    found = []
    if None in space.terms.loss_ratio:
        found.append(_priced(space, _accuracy(solver)))
    found += [_priced(space, _latency(solver, name)) for name in sorted(space.terms.latency_s)]
    return (*found, _priced(space, _headroom(space)), _priced(space, _carbon(space)))


def _accuracy(solver: Frontiers) -> _Promise:
    limit = solver.terms.loss_ratio[None]
    values = [
        limit if at == 0 else round(limit + at * LOSS_STEP, 9)
        for at in LOSS_STEPS
        if limit + at * LOSS_STEP > -1e-9
    ]
    return _Promise(
        "max_accuracy_loss",
        "accuracy loss",
        "ratio",
        limit,
        LOSS_STEP,
        "0.1 % of accuracy",
        values,
        lambda value: _cost_of(solver, value, "loss"),
        format_ratio,
    )


def _latency(solver: Frontiers, name: str) -> _Promise:
    limit = solver.terms.latency_s[name]
    values = [limit * factor for factor in LATENCY_FACTORS]
    step = limit * LATENCY_STEP
    return _Promise(
        name,
        latency_title(name),
        "s",
        limit,
        step,
        f"{format_seconds(step)} of {latency_title(name)}",
        values,
        lambda value: _cost_of(solver, value, name),
        format_seconds,
    )


def _cost_of(solver: Frontiers, value: float, name: str) -> float | None:
    terms = solver.terms
    moved = terms.with_loss(None, max(value, 0.0)) if name == "loss" else terms.with_latency(name, value)
    best = solver.cheapest(moved)
    return None if best is None else float(best.cost_usd_per_month[0])


def _headroom(space: Space) -> _Promise:
    """Return room for more traffic than stated; its values are negative, as more room is tighter."""

    def solve(value: float) -> float | None:
        best = cheapest_of(plans_in(space, Circumstances(traffic_ratio=1.0 - value)))
        return None if best is None else float(best.cost_usd_per_month[0])

    return _Promise(
        "headroom",
        "headroom",
        "ratio",
        0.0,
        0.01,
        "1 % of headroom",
        [0.0 if room == 0.0 else -room for room in reversed(HEADROOMS)],
        solve,
        lambda value: format_ratio(abs(value)),
    )


def _carbon(space: Space) -> _Promise:
    """Return a cap on emissions; the frontier of cost and carbon over every plan within the limits."""
    now = float(space.plans.carbon_kg_per_month[space.chosen])
    least = float(space.plans.carbon_kg_per_month.min())

    def solve(value: float) -> float | None:
        keep = space.plans.carbon_kg_per_month <= value * (1.0 + 1e-9)
        return float(space.cost[keep].min()) if keep.any() else None

    values = sorted({now * (1.0 - cut) for cut in CARBON_CUTS} | {least} | {now})
    return _Promise(
        "carbon",
        "carbon",
        "kg/month",
        now,
        TON_KG,
        "a ton of CO2e a month",
        values,
        solve,
        lambda value: f"{value:,.0f} kg/month",
    )


def _priced(space: Space, promise: _Promise) -> PromisePrice:
    costs = _monotone([promise.solve(value) for value in promise.values])
    at = list(promise.values).index(promise.value)
    base = costs[at] if costs[at] is not None else space.chosen_cost
    assert base is not None  # noqa: S101 - one of the two is a number
    points = tuple(
        PromisePoint(
            value=abs(value) if promise.requirement == "headroom" else value, cost_usd_per_month=cost
        )
        for value, cost in zip(promise.values, costs, strict=True)
    )
    tighter = _next(promise, costs, base, range(at - 1, -1, -1))
    looser = _next(promise, costs, base, range(at + 1, len(costs)))
    one_tighter, one_looser = _one_step(promise, costs, at, base, tighter)
    is_priced = promise.requirement != "carbon" or promise.value >= LEAST_CARBON_KG
    text = _text(promise, one_tighter, one_looser, tighter, looser) if is_priced else _too_little(promise)
    return PromisePrice(
        requirement=promise.requirement,
        title=promise.title,
        step=promise.step,
        step_text=promise.step_text,
        unit=promise.unit,
        value=promise.value,
        tighter_usd_per_month=one_tighter if is_priced else None,
        looser_usd_per_month=one_looser,
        next_tighter=tighter,
        next_looser=looser,
        points=points,
        text=text,
        is_priced=is_priced,
    )


def _too_little(promise: _Promise) -> str:
    tons = promise.value * 12.0 / TON_KG
    return f"Not worth pricing: the service emits {tons:.2g} t of CO2e a year."


def _monotone(costs: Sequence[float | None]) -> list[float | None]:
    """Return costs that never rise from tight to loose: a plan within a tighter limit is within a looser one, too.

    Example:
        >>> _monotone([None, 5.0, 6.0, 4.0])
        [None, 5.0, 5.0, 4.0]
    """
    found: list[float | None] = []
    least = np.inf
    for cost in costs:
        least = min(least, np.inf if cost is None else cost)
        found.append(None if np.isinf(least) else float(least))
    return found


def _one_step(
    promise: _Promise, costs: Sequence[float | None], at: int, base: float, tighter: Breakpoint | None
) -> tuple[float | None, float]:
    """Return the change of the cost one step tighter and one step looser.

    For carbon a step may be more than there is: then the price is that of the first cut that works, by the ton.
    """
    looser = costs[at + 1] if at + 1 < len(costs) else base
    down = 0.0 if looser is None else looser - base
    if promise.requirement == "carbon":
        if tighter is None or tighter.change_usd_per_month is None:
            return None, 0.0
        return tighter.change_usd_per_month / (promise.value - tighter.value) * TON_KG, 0.0
    if at == 0:
        return None, down
    cost = costs[at - 1]
    return (None if cost is None else cost - base), down


def _next(promise: _Promise, costs: Sequence[float | None], base: float, order: range) -> Breakpoint | None:
    """Return the first value in an order at which the cost changes, narrowed by halving where that is exact to solve."""
    near = promise.value
    for at in order:
        value, cost = promise.values[at], costs[at]
        if _changes(cost, base):
            if promise.unit == "s":
                value, cost = _narrowed(promise, near, value, base, cost)
            return Breakpoint(
                value=abs(value) if promise.requirement == "headroom" else value,
                cost_usd_per_month=cost,
                change_usd_per_month=None if cost is None else cost - base,
            )
        near = value
    return None


def _changes(cost: float | None, base: float) -> bool:
    return cost is None or abs(cost - base) > CHANGE * base


def _narrowed(
    promise: _Promise, same: float, changed: float, base: float, cost: float | None
) -> tuple[float, float | None]:
    for _ in range(HALVINGS):
        middle = (same * changed) ** 0.5
        found = promise.solve(middle)
        if _changes(found, base):
            changed, cost = middle, found
        else:
            same = middle
    return changed, cost


def _text(
    promise: _Promise,
    one_tighter: float | None,
    one_looser: float,
    tighter: Breakpoint | None,
    looser: Breakpoint | None,
) -> str:
    """Return the price in words."""
    parts = [_tighter_text(promise, one_tighter)]
    ends = [("tighter", tighter, promise.values[0])]
    if promise.requirement not in {"carbon", "headroom"}:
        saved = f"saves {format_usd(-one_looser)}/month" if one_looser else "saves nothing"
        parts.append(f"{promise.step_text} less {saved}")
        ends.append(("looser", looser, promise.values[-1]))
    for direction, point, end in ends:
        if point is not None:
            parts.append(f"{direction}, nothing changes until {promise.shown(point.value)}: {_effect(point)}")
        elif promise.requirement != "carbon":
            parts.append(f"{direction}, nothing changes as far as {promise.shown(end)}")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def _tighter_text(promise: _Promise, usd: float | None) -> str:
    if promise.requirement == "carbon":
        if usd is None:
            return "no plan within the limits emits less"
        return f"{format_usd(usd)} for each ton of CO2e less, at the first cut that is possible"
    if usd is None:
        return f"{promise.step_text} more cannot be promised"
    return f"{promise.step_text} more costs {f'{format_usd(usd)}/month' if usd else 'nothing'}"


def _effect(point: Breakpoint) -> str:
    change = point.change_usd_per_month
    if change is None:
        return "beyond it nothing fits"
    return f"{'+' if change > 0 else ''}{format_usd(change)}/month"
