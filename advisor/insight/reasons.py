"""Why this option of each strategy and not another: the best plan without it, with each other option, and what differs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from advisor.explanation import chosen_options
from advisor.insight.briefs import running_usd_per_month
from advisor.insight.refusals import refusal
from advisor.insight.results import OptionCost, StrategyReason
from advisor.insight.space import MACHINE, MACHINES, offered_options
from advisor.strategy import NONE
from advisor.units import format_rate, format_usd

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from advisor.insight.space import Space
    from advisor.strategy import Option

ALIKE = 0.01
"""Ratios closer to 1 than this are called the same."""
IDLE = 0.01
"""Share of its capacity at which a replica is called nearly idle."""


def reasons(space: Space) -> tuple[StrategyReason, ...]:
    """Return for each strategy the cost without it and with each other option, and why."""
    offered = offered_options(space.evaluation)
    return tuple(_reason(space, strategy, offered.get(strategy, {})) for strategy in space.strategies)


def without(space: Space, strategy: str) -> int | None:
    """Return the best plan that leaves a strategy as today, everything else chosen anew; `None` where nothing fits."""
    return space.best(space.neutral(strategy))


def _reason(space: Space, strategy: str, options: Mapping[str, Option]) -> StrategyReason:
    left = without(space, strategy)
    chosen = dict(chosen_options(space.evaluation, space.plans, space.chosen)).get(strategy)
    changed = strategy in space.changed
    cost = None if left is None else float(space.cost[left])
    return StrategyReason(
        strategy=strategy,
        option=NONE if chosen is None else chosen.id,
        title=_title(space, strategy, chosen),
        changed=changed,
        without_usd_per_month=cost,
        worth_usd_per_month=None if cost is None else cost - space.chosen_cost,
        text=_without_text(space, strategy, left, changed=changed),
        alternatives=_alternatives(space, strategy, options),
    )


def _title(space: Space, strategy: str, option: Option | None) -> str:
    title = option.title if option is not None else ""
    if strategy != MACHINES:
        return title
    machine = str(space.codes[MACHINE][space.chosen]).rpartition("/")[2]
    return f"{machine}, {title[:1].lower()}{title[1:]}" if title else machine


def _without_text(space: Space, strategy: str, left: int | None, *, changed: bool) -> str:
    name = strategy.replace("_", " ")
    if not changed:
        return f"No other option of {name} makes the plan cheaper within the limits."
    if left is None:
        return f"Without {name} no plan meets the requirements."
    extra = format_usd(float(space.cost[left]) - space.chosen_cost)
    columns = (strategy, MACHINE) if strategy == MACHINES else (strategy,)
    twins = np.flatnonzero(space.like_chosen(but=columns) & space.neutral(strategy))
    why = _explained(space, twins, left)
    return f"Without {name} the best plan costs {extra}/month more: {why}."


def _alternatives(space: Space, strategy: str, options: Mapping[str, Option]) -> tuple[OptionCost, ...]:
    columns = {strategy: {name: option.title for name, option in options.items() if name != NONE}}
    if strategy == MACHINES:
        blocks = space.evaluation.candidates.blocks
        columns[MACHINE] = {
            block.instance_type.id: f"{block.instance_type.name}, "
            f"{block.instance_type.accelerator_count} x {block.instance_type.accelerator.name}"
            for block in blocks
        }
    found = [
        _option_cost(space, column, name, title)
        for column, names in columns.items()
        for name, title in names.items()
        if column not in space.codes or space.codes[column][space.chosen] != name
    ]
    return tuple(sorted(found, key=_by_cost))


def _by_cost(found: OptionCost) -> tuple[float, str]:
    return (np.inf if found.cost_usd_per_month is None else found.cost_usd_per_month, found.option)


def _option_cost(space: Space, column: str, name: str, title: str) -> OptionCost:
    best = space.best(space.codes[column] == name) if column in space.codes else None
    if best is None:
        text = refusal(space, column, name)
        return OptionCost(
            option=name, title=title, cost_usd_per_month=None, extra_usd_per_month=None, reason=text
        )
    cost = float(space.cost[best])
    return OptionCost(
        option=name,
        title=title,
        cost_usd_per_month=cost,
        extra_usd_per_month=cost - space.chosen_cost,
        reason=_compared(space, column, name, best),
    )


def _compared(space: Space, column: str, name: str, best: int) -> str:
    """Return why the option costs more: against the same plan with it alone changed, else against its best plan."""
    twins = np.flatnonzero(space.like_chosen(but=(column,)) & (space.codes[column] == name))
    return _explained(space, twins, best)


def _explained(space: Space, twins: NDArray[np.int64], best: int) -> str:
    at = int(twins[0]) if len(twins) else best
    prefix = "" if len(twins) else "with the rest chosen anew, "
    return prefix + _difference(space, at)


def _difference(space: Space, at: int) -> str:
    """Return the largest physical difference of a plan to the recommended one, in words with numbers."""
    plans, chosen = space.plans, space.chosen
    running = running_usd_per_month(space.evaluation, plans.take(np.array([at, chosen])))
    if running[0] < running[1] * (1.0 - 1e-9):
        once = float(plans.one_time_usd[at] - plans.one_time_usd[chosen])
        saved = format_usd(float(running[1] - running[0]))
        months = space.evaluation.workload.horizon_months
        return f"saves {saved}/month but takes {format_usd(once)} more of one-time work, spread over {months:g} months"
    if abs(running[0] - running[1]) <= 1e-9 * running[1]:
        once = float(plans.one_time_usd[at] - plans.one_time_usd[chosen])
        same = "needs the same machines and saves nothing"
        return f"{same}, for {format_usd(once)} more of one-time work" if once > 0.005 else same
    if space.codes[MACHINE][at] != space.codes[MACHINE][chosen]:
        return _other_machine(space, at)
    return _same_machine(space, at)


def _per_instance(space: Space, at: int) -> float:
    """Return the highest rate of one machine within the limits, in requests per second."""
    each = space.evaluation.serving.replica.per_instance[space.plans.engine[at]]
    return float(space.plans.capacity_requests_per_s[at] * each)


def _machine_hours(space: Space, at: int) -> float:
    return float(space.plans.instances[at] @ space.evaluation.periods.hours_per_month)


def _other_machine(space: Space, at: int) -> str:
    mine, other = (
        float(space.plans.machine_usd_per_month[row] / max(_machine_hours(space, row), 1e-9))
        for row in (space.chosen, at)
    )
    carried = (_per_instance(space, at), _per_instance(space, space.chosen))
    machine = str(space.codes[MACHINE][at]).rpartition("/")[2]
    return (
        f"a {machine} carries {format_rate(carried[0])} within the limits for {format_usd(other)}/h, "
        f"against {format_rate(carried[1])} for {format_usd(mine)}/h"
    )


def _same_machine(space: Space, at: int) -> str:
    ratio = _per_instance(space, at) / _per_instance(space, space.chosen)
    if ratio < 1.0 - ALIKE:
        return f"a machine carries {1.0 - ratio:.0%} less within the limits{_regime(space, at)}"
    hours = (_machine_hours(space, at), _machine_hours(space, space.chosen))
    paid = [
        float(space.plans.machine_usd_per_month[row]) / max(hours[n], 1e-9)
        for n, row in enumerate((at, space.chosen))
    ]
    if hours[0] > hours[1] * (1.0 + ALIKE):
        return f"runs {hours[0]:,.0f} machine-hours a month instead of {hours[1]:,.0f}"
    if paid[0] > paid[1] * (1.0 + ALIKE):
        return f"pays {format_usd(paid[0])} a machine-hour instead of {format_usd(paid[1])}"
    if ratio > 1.0 + ALIKE:
        return f"a machine carries {ratio - 1.0:.0%} more within the limits, which saves no whole machine and costs more to run"
    return "carries no more within the limits and costs more to run"


def _regime(space: Space, at: int) -> str:
    """Return what a nearly idle replica shows: whether the other option is only slower when full."""
    rows = np.array([space.plans.engine[at], space.plans.engine[space.chosen]])
    serving = space.evaluation.serving.take(rows)
    rate = IDLE * np.full(2, float(space.plans.capacity_requests_per_s[space.chosen]))
    cvs = np.full(2, space.evaluation.arrival_cvs[-1])
    found = serving.latency(rate, arrival_cv=cvs)
    idle = _idle_ratio(found["tpot" if "tpot" in serving.metrics else "e2e"]["p50"])
    if idle < 1.0 - ALIKE:
        return f"; alone a request is {1.0 - idle:.0%} faster, so it wins only with few requests in flight"
    if idle > 1.0 + ALIKE:
        return f"; alone a request takes {idle:.2f} times as long, too"
    return ""


def _idle_ratio(latency_s: NDArray[np.float64]) -> float:
    return float(latency_s[0] / latency_s[1]) if np.isfinite(latency_s).all() else 1.0
