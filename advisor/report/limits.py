"""What limits cost: two of them to move, each on its own, and the price of a little more of each promise."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from advisor.report.curves import column_height, columns_chart
from advisor.report.insight_rows import FrontierView, GridRow, PromiseRow, Sliders
from advisor.report.words import (
    NOT_KNOWN,
    capital,
    change,
    clean,
    duration,
    latency_name,
    machines,
    monthly,
    plainly,
    requirement_name,
    share,
    signed,
    uncapital,
)
from advisor.units import format_usd

if TYPE_CHECKING:
    from advisor.insight.results import (
        Breakpoint,
        Frontier,
        FrontierGrid,
        FrontierPoint,
        PlanBrief,
        PromisePrice,
    )

_NOTHING = "nothing fits"


def sliders(grid: FrontierGrid, today_usd: float, recommended: PlanBrief) -> Sliders:
    """Return the grid as two sliders with their charts, the data to move them by, and a table in their place.

    Args:
        grid: Cheapest plans.
        today_usd: Today's bill, in US dollars per month.
        recommended: The plan under the requirements.
    """
    loss_at = len(grid.loss_ratios) - 1 if grid.your_loss is None else grid.your_loss
    factor_at = grid.your_factor
    losses = tuple(limit_value(ratio, "ratio") for ratio in grid.loss_ratios)
    factors = tuple(f"×{factor:g}" for factor in grid.latency_factors)
    most = max((plan.cost_usd_per_month for plan in grid.plans), default=1.0)
    limited = bool(grid.latency_limits_s)
    by_loss, by_latency = (
        columns_chart(f"by-{name}", f"Cost against {title}", values, costs, picked=at, most_usd=most)
        for name, title, values, costs, at in (
            (
                "loss",
                "the accuracy limit",
                losses,
                [_cost(grid, row[factor_at]) for row in grid.cells],
                loss_at,
            ),
            (
                "latency",
                "all latency limits together",
                factors,
                [_cost(grid, at) for at in grid.cells[loss_at]],
                factor_at,
            ),
        )
    )
    return Sliders(
        losses=losses,
        loss_at=loss_at,
        factors=factors,
        factor_at=factor_at,
        columns=factors if limited else ("Cost a month",),
        limits=tuple(_limits(grid, factor) for factor in grid.latency_factors),
        loss_chart=by_loss,
        latency_chart=by_latency if limited else None,
        rows=_rows(grid, losses, limited=limited),
        data=_data(grid, losses, factors, (loss_at, factor_at), today_usd, recommended, most),
    )


def _rows(grid: FrontierGrid, losses: Sequence[str], *, limited: bool) -> tuple[GridRow, ...]:
    """Return the grid as a table; one column where no latency is limited."""
    shown = range(len(grid.latency_factors)) if limited else (grid.your_factor,)
    found = []
    for at, (loss, row) in enumerate(zip(losses, grid.cells, strict=True)):
        costs = [_cost(grid, row[column]) for column in shown]
        texts = tuple(_NOTHING if cost is None else format_usd(cost) for cost in costs)
        found.append(GridRow(loss, at == grid.your_loss, texts))
    return tuple(found)


def _cost(grid: FrontierGrid, at: int | None) -> float | None:
    return None if at is None else grid.plans[at].cost_usd_per_month


def _limits(grid: FrontierGrid, factor: float) -> str:
    found = [
        f"{latency_name(name)} {duration(limit * factor)}" for name, limit in grid.latency_limits_s.items()
    ]
    return "; ".join(found)


def _data(
    grid: FrontierGrid,
    losses: Sequence[str],
    factors: Sequence[str],
    at: tuple[int, int],
    today_usd: float,
    recommended: PlanBrief,
    most_usd: float,
) -> str:
    """Return what the script needs, every text ready to be shown; no sign in it can end a script element."""
    plans = [
        {
            "plan": _words(plan),
            "cost": monthly(plan.cost_usd_per_month),
            "short": format_usd(plan.cost_usd_per_month),
            "saving": _saving(today_usd, plan.cost_usd_per_month),
            "against": _against(recommended.cost_usd_per_month, plan.cost_usd_per_month),
            "loss": share(plan.loss_expected_ratio),
            "height": round(column_height(plan.cost_usd_per_month, most_usd=most_usd), 1),
        }
        for plan in grid.plans
    ]
    data = {
        "losses": list(losses),
        "factors": list(factors),
        "limits": [_limits(grid, factor) for factor in grid.latency_factors],
        "at": list(at),
        "cells": [list(row) for row in grid.cells],
        "plans": plans,
    }
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _words(plan: PlanBrief) -> str:
    options = " · ".join(uncapital(plainly(one.title)) for one in plan.choices)
    return f"{machines(plan.instances_peak, plan.instance_type)}: {options or 'nothing else changed'}"


def _saving(today_usd: float, cost_usd: float) -> str:
    word = "less" if cost_usd <= today_usd else "more"
    moved = change(today_usd, cost_usd)
    return f"{monthly(abs(today_usd - cost_usd))} {word} than today ({moved})"


def _against(recommended_usd: float, cost_usd: float) -> str:
    extra = cost_usd - recommended_usd
    return "as recommended" if abs(extra) < 0.005 else f"{signed(extra)}/month against the recommended plan"


def differs(plan: PlanBrief, recommended: PlanBrief) -> str:
    """Return the machines of a plan, and what else is not as recommended."""
    mine, its = ({one.strategy: one.option for one in found.choices} for found in (recommended, plan))
    other = [
        f"{clean(name).replace('_', ' ')} {clean(its.get(name, 'as today'))}"
        for name in sorted({*mine, *its})
        if mine.get(name) != its.get(name)
    ]
    alike = not other and plan.instance_type == recommended.instance_type
    rest = "options as recommended" if alike else ", ".join(other) or "other machines"
    return f"{machines(plan.instances_peak, plan.instance_type)}; {rest}"


def frontier_views(frontiers: Sequence[Frontier], recommended: PlanBrief) -> tuple[FrontierView, ...]:
    """Return cost against each limit on its own; accuracy is left to the slider, where it stands as well."""
    return tuple(
        _frontier(frontier, number, recommended)
        for number, frontier in enumerate(frontiers, 1)
        if frontier.requirement != "max_accuracy_loss" and frontier.points
    )


def _frontier(frontier: Frontier, number: int, recommended: PlanBrief) -> FrontierView:
    costs = [None if point.plan is None else point.plan.cost_usd_per_month for point in frontier.points]
    names = [limit_value(point.limit, frontier.unit) for point in frontier.points]
    picked = next((at for at, point in enumerate(frontier.points) if point.is_yours), None)
    title = (
        capital(frontier.title)
        if frontier.requirement == "confidence"
        else requirement_name(frontier.requirement)
    )
    return FrontierView(
        title=title,
        chart=columns_chart(
            f"frontier-{number}",
            f"Cost against {uncapital(title)}",
            names,
            costs,
            picked=picked,
            most_usd=max((cost for cost in costs if cost is not None), default=1.0),
        ),
        rows=tuple(
            (
                f"{name} (yours)" if at == picked else name,
                _NOTHING if cost is None else format_usd(cost),
                _plan(point, recommended),
            )
            for at, (name, cost, point) in enumerate(zip(names, costs, frontier.points, strict=True))
        ),
    )


def _plan(point: FrontierPoint, recommended: PlanBrief) -> str:
    return NOT_KNOWN if point.plan is None else differs(point.plan, recommended)


def limit_value(value: float, unit: str) -> str:
    """Return the value of a limit as a reader writes it."""
    if unit == "s":
        return duration(value)
    if unit == "kg/month":
        return f"{value:,.0f} kg/month"
    return f"{100.0 * value:.3g}%"


def _point(found: Breakpoint | None, unit: str) -> str:
    if found is None:
        return "none that was tried"
    if found.change_usd_per_month is None:
        return f"{limit_value(found.value, unit)}: nothing fits"
    return f"{limit_value(found.value, unit)}: {signed(found.change_usd_per_month)}"


def _tighter(price: PromisePrice) -> str:
    if not price.is_priced:
        return "not worth pricing"
    return (
        "cannot be promised" if price.tighter_usd_per_month is None else signed(price.tighter_usd_per_month)
    )


def promise_rows(promises: Sequence[PromisePrice]) -> tuple[PromiseRow, ...]:
    """Return what one step more or less of each promise costs."""
    return tuple(
        PromiseRow(
            promise=capital(price.title)
            if price.requirement in {"headroom", "carbon"}
            else requirement_name(price.requirement),
            now=limit_value(price.value, price.unit),
            step=plainly(price.step_text),
            tighter=_tighter(price),
            looser=signed(price.looser_usd_per_month),
            next_tighter=_point(price.next_tighter, price.unit),
            next_looser=NOT_KNOWN
            if price.requirement in {"headroom", "carbon"}
            else _point(price.next_looser, price.unit),
        )
        for price in promises
    )
