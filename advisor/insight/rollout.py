"""The way from today to the plan: every state on it is a real candidate that keeps the limits, the safest changes first.

Among the orders, the one with the fewest states outside the limits is taken, then the one with the fewest risky changes
before safer ones, then the one that spends least on the way: working hours of a step times the bill while it is done.
Found exactly, by dynamic programming over the sets of changes made.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from advisor.insight.briefs import running_usd_per_month
from advisor.insight.instructions import (
    artefacts,
    prerequisite,
    rollback,
    rollback_trigger,
    steps,
    verification,
)
from advisor.insight.moves import SETTING, Move, moves
from advisor.insight.results import Rollout, RolloutStep
from advisor.insight.space import MACHINE
from advisor.strategy import NONE
from advisor.units import format_usd

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from advisor.baseline import Today
    from advisor.insight.space import Space

DISCOUNT_RATIO_PER_YEAR = 0.08
"""Assumed: what money costs the company in a year."""
RIGHT_SIZING_HOURS = 0.0
"""Changing the number of machines takes no work that is billed."""


@dataclass(frozen=True, slots=True)
class _Way:
    """The states between today and the plan.

    Args:
        moves: Changes.
        state: Plan after a set of changes (a bit for each), `None` where none keeps the limits.
    """

    moves: tuple[Move, ...]
    state: tuple[int | None, ...]


def rollout(
    space: Space, before: Today, *, discount_ratio_per_year: float = DISCOUNT_RATIO_PER_YEAR
) -> Rollout:
    """Return the steps, the payback and the net present value.

    Args:
        space: Of the plans within the limits.
        before: Today's deployment.
        discount_ratio_per_year: What money costs in a year.
    """
    made = moves(space)
    way = _Way(made, _states(space, made))
    today = float(before.plan.cost_usd_per_month[0])
    found = _steps(space, way, _order(space, way, today), today)
    running = float(running_usd_per_month(space.evaluation, space.plans)[space.chosen])
    one_time = float(space.plans.one_time_usd[space.chosen])
    months = float(space.evaluation.workload.horizon_months)
    saved = today - running
    value = net_present_value_usd(
        saved, one_time_usd=one_time, months=months, discount_ratio_per_year=discount_ratio_per_year
    )
    return Rollout(
        steps=found,
        one_time_usd=one_time,
        payback_months=one_time / saved if saved > 0.0 else None,
        npv_usd=value,
        discount_ratio_per_year=discount_ratio_per_year,
        horizon_months=months,
        text=_text(len(found), one_time, saved, value, months, discount_ratio_per_year),
    )


def net_present_value_usd(
    saved_usd_per_month: float, *, one_time_usd: float, months: float, discount_ratio_per_year: float
) -> float:
    r"""Return savings discounted to today, less the one-time cost: $\sum_{m=1}^{M} s (1 + d)^{-m/12} - K$.

    Args:
        saved_usd_per_month: Saving s at the end of each month.
        one_time_usd: Spent at once, K.
        months: Horizon M; a part of a month counts in proportion.
        discount_ratio_per_year: Discount d.

    Example:
        >>> round(net_present_value_usd(100.0, one_time_usd=0.0, months=2.0, discount_ratio_per_year=0.0), 2)
        200.0
        >>> round(net_present_value_usd(100.0, one_time_usd=500.0, months=12.0, discount_ratio_per_year=0.08), 2)  # (1 - 1/1.08) / (1.08^(1/12) - 1) = 11.5129
        651.29
    """
    monthly = math.pow(1.0 + discount_ratio_per_year, -1.0 / 12.0)
    whole = int(months)
    factor = sum(math.pow(monthly, at) for at in range(1, whole + 1))
    factor += (months - whole) * math.pow(monthly, months)
    return saved_usd_per_month * factor - one_time_usd


def _text(steps_: int, one_time: float, saved: float, value: float, months: float, discount: float) -> str:
    if not steps_:
        return "Nothing changes."
    paid = (
        f"paid back after {one_time / saved:.1f} months"
        if saved > 0.0
        else "which is not earned back in running cost"
    )
    return (
        f"{format_usd(one_time)} of one-time work, {paid}; worth {format_usd(value)} today over {months:g} months at "
        f"{discount:.0%} a year (assumed)."
    )


def _states(space: Space, made: Sequence[Move]) -> tuple[int | None, ...]:
    """Return the plan after each set of changes; the others stay as today."""
    values: dict[str, set[str]] = {name: {NONE} for name in space.codes} | {MACHINE: {space.home}}
    for move in made:
        for column, value in move.sets.items():
            values[column].add(value)
    near = np.ones(len(space.plans), dtype=bool)
    for column, wanted in values.items():
        near &= np.isin(space.codes[column].astype(str), sorted(wanted))
    rows = np.flatnonzero(near)
    names = sorted(space.codes)
    known = {tuple(str(space.codes[name][row]) for name in names): int(row) for row in rows}
    return tuple(
        known.get(tuple(_after(space, made, done)[name] for name in names)) for done in range(2 ** len(made))
    )


def _after(space: Space, made: Sequence[Move], done: int) -> Mapping[str, str]:
    state = dict.fromkeys(space.codes, NONE) | {MACHINE: space.home}
    for at in _bits(done, len(made)):
        state |= made[at].sets
    return state


def _bits(done: int, count: int) -> Iterable[int]:
    return (at for at in range(count) if done >> at & 1)


def _order(space: Space, way: _Way, today: float) -> tuple[int, ...]:
    """Return the best order of the changes."""
    count = len(way.moves)
    running = running_usd_per_month(space.evaluation, space.plans)
    best: dict[int, tuple[tuple[float, float, float], tuple[int, ...]]] = {0: ((0.0, 0.0, 0.0), ())}
    for done in range(2**count):
        if done not in best:
            continue
        (outside, early, spent), order = best[done]
        state = way.state[done]
        bill = today if state is None else float(running[state])
        for at, move in enumerate(way.moves):
            if done >> at & 1 or (move.after is not None and not done >> move.after & 1):
                continue
            riskier = sum(way.moves[other].kind > move.kind for other in order)
            then = done | 1 << at
            score = (
                outside + (way.state[then] is None),
                early + riskier,
                spent + move.engineer_hours * bill,
            )
            if then not in best or (score, (*order, at)) < best[then]:
                best[then] = (score, (*order, at))
    return best[2**count - 1][1]


def _steps(space: Space, way: _Way, order: Sequence[int], today: float) -> tuple[RolloutStep, ...]:
    """Return the changes in their order; those that keep the limits only together are one step."""
    found: list[RolloutStep] = []
    start = way.state[0]
    last = today
    if start is not None and abs(float(space.cost[start]) - today) > 1e-6 * max(today, 1.0):
        found.append(_step(space, (), start, number=1, last=today, today=today, spent=0.0))
        last = float(space.cost[start])
    done, pending, spent = 0, [], 0.0
    for at in order:
        done |= 1 << at
        pending.append(way.moves[at])
        state = way.state[done]
        if state is None:
            continue
        step = _step(space, pending, state, number=len(found) + 1, last=last, today=today, spent=spent)
        found.append(step)
        last, spent, pending = step.cost_usd_per_month, float(space.plans.one_time_usd[state]), []
    return tuple(found)


def _step(
    space: Space,
    made: Sequence[Move],
    state: int,
    *,
    number: int,
    last: float,
    today: float,
    spent: float,
) -> RolloutStep:
    plans = space.plans
    cost = float(space.cost[state])
    machine = str(space.codes[MACHINE][state]).rpartition("/")[2]
    peak = int(plans.instances[state].max())
    kind = max((move.kind for move in made), default=SETTING)
    title = " and ".join(move.title for move in made) or f"Run {peak} x {machine}: as many as the limits need"
    return RolloutStep(
        number=number,
        title=title,
        changes=tuple(move.change for move in made),
        instance_type=machine,
        instances_peak=peak,
        cost_usd_per_month=cost,
        running_usd_per_month=float(running_usd_per_month(space.evaluation, plans)[state]),
        saving_usd_per_month=last - cost,
        cumulative_saving_usd_per_month=today - cost,
        engineer_hours=sum(move.engineer_hours for move in made) if made else RIGHT_SIZING_HOURS,
        gpu_hours=sum(move.gpu_hours for move in made),
        one_time_usd=float(plans.one_time_usd[state]) - spent,
        steps=steps(made),
        artefacts=artefacts(made),
        prerequisite=prerequisite(space, made, state, kind),
        verification=verification(space, made, state),
        rollback_trigger=rollback_trigger(space, kind),
        rollback=rollback(space, kind),
    )
