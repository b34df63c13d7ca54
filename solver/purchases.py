r"""The cheapest purchases that cover a known use of one pool, in closed form.

Why: once columns are chosen, the rows of a pool no longer touch those of any other. What is left for one
pool is to cover the need $n_t = \lceil u_t \rceil$ of each period with $r$ committed instances (paid in every
hour, cheapest plan first) and hourly ones (cheapest first, each up to its quota and to $\lfloor \sigma u_t \rfloor$).
The cost is convex in $r$ and linear between whole numbers, so the smallest $r$ whose next instance no
longer pays for itself is optimal, and no integer program is needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from advisor.solver.data import Plan, Pool

Floats = NDArray[np.float64]

WHOLE: Final = 1e-9
"""Distance to a whole number of instances that is taken for rounding error of a sum."""


@dataclass(frozen=True, slots=True)
class Purchases:
    """Cheapest purchases for several uses of one pool.

    Attributes:
        cost_usd_per_month: One for each use; infinite where the plans cannot cover it.
        committed: Plan name to counts, one for each use.
        hourly: Plan name to counts, one row for each use, one column for each period.
    """

    cost_usd_per_month: Floats
    committed: dict[str, Floats]
    hourly: dict[str, Floats]


def cheapest_purchases(pool: Pool, use: Floats, hours: Floats) -> Purchases:
    """Return the cheapest purchases that cover each use of a pool.

    Args:
        pool: The pool and its plans.
        use: Instances in use; one row for each case, one column for each period.
        hours: Hours per month of each period.

    Example:
        Two instances in 600 of 730 hours and one in the rest: one is committed, the other bought by the hour.

        >>> plans = (Plan("1y", "committed", 0.6), Plan("on-demand", "hourly", 1.0))
        >>> bought = cheapest_purchases(Pool("a", plans), np.array([[2.0, 1.0]]), np.array([300.0, 430.0]))
        >>> bought.committed["1y"].tolist(), bought.hourly["on-demand"].tolist()
        ([1.0], [[1.0, 0.0]])
        >>> round(float(bought.cost_usd_per_month[0]), 6)  # 730 h x 0.6 + 300 h x 1.0
        738.0
    """
    use = np.asarray(use, dtype=np.float64)
    need = np.ceil(use - WHOLE)
    if pool.owned:
        return Purchases(np.zeros(len(use)), {}, {})
    caps = [_cap(plan, use) for plan in pool.hourly]
    reserved, possible = _committed_count(pool, need, caps, hours)
    cost = np.zeros(len(use))
    committed = {}
    left = reserved
    for plan in pool.committed:
        count = left if plan.quota is None else np.minimum(left, plan.quota)
        committed[plan.name] = count
        cost += count * (plan.usd_per_h * hours.sum())
        left = left - count
    hourly = {}
    open_need = np.maximum(need - reserved[:, None], 0)
    for plan, cap in zip(pool.hourly, caps, strict=True):
        counts = np.minimum(open_need, cap)
        hourly[plan.name] = counts
        cost += (counts * hours).sum(axis=1) * plan.usd_per_h
        open_need = open_need - counts
    return Purchases(np.where(possible, cost, np.inf), committed, hourly)


def is_additive(pool: Pool) -> bool:
    """Return whether the cheapest cost of whole instances is a price times the use, whatever else uses the pool.

    So it is when the cheapest plan is an hourly one without quota or share: each instance then costs
    exactly that price in the hours it is used, and a commitment, paid in all hours, is never cheaper.
    """
    if pool.owned:
        return True
    if not pool.hourly:
        return False
    first = pool.hourly[0]
    free = first.quota is None and first.max_share_of_use >= 1
    return free and all(first.usd_per_h <= plan.usd_per_h for plan in pool.committed)


def less_use_is_never_dearer(pool: Pool) -> bool:
    """Return whether one instance less in use can never cost more, whatever else uses the pool.

    With one share-limited plan, one instance less takes at most one from its cap, and that one is the
    one no longer needed. Two such plans can both lose one, so then it is not certain.
    """
    return sum(plan.max_share_of_use < 1 for plan in pool.hourly) <= 1


def _cap(plan: Plan, use: Floats) -> Floats:
    cap = np.full_like(use, np.inf)
    if plan.max_share_of_use < 1:
        cap = np.floor(plan.max_share_of_use * use + WHOLE)
    return cap if plan.quota is None else np.minimum(cap, plan.quota)


def _committed_count(
    pool: Pool, need: Floats, caps: Sequence[Floats], hours: Floats
) -> tuple[Floats, NDArray[np.bool_]]:
    """Return how many instances to commit to, and whether the use can be covered at all."""
    reach = np.zeros_like(need)
    for cap in caps:
        reach = reach + cap
    floor = np.maximum((need - reach).max(axis=1), 0)
    if not pool.committed:
        return np.zeros(len(need)), floor <= 0
    points, savings = _marginal_savings(pool, need, caps, hours)
    count = np.zeros(len(need))
    offered = 0.0
    for plan in pool.committed:
        offered += np.inf if plan.quota is None else plan.quota
        worthwhile = _worthwhile_count(points, savings, plan.usd_per_h * float(hours.sum()))
        count = np.maximum(count, np.minimum(worthwhile, offered))
    return np.minimum(np.maximum(count, floor), offered), floor <= offered


def _marginal_savings(
    pool: Pool, need: Floats, caps: Sequence[Floats], hours: Floats
) -> tuple[Floats, Floats]:
    """Return breakpoints, largest first, and what one more committed instance saves below each."""
    points, weights = [], []
    filled = np.zeros_like(need)
    price = 0.0
    for plan, cap in zip(pool.hourly, caps, strict=True):
        points.append(need - filled)
        weights.append(np.broadcast_to((plan.usd_per_h - price) * hours, need.shape))
        filled = filled + cap
        price = plan.usd_per_h
    if not points:
        return np.zeros((len(need), 1)), np.zeros((len(need), 1))
    every_point = np.concatenate(points, axis=1)
    order = np.argsort(-every_point, axis=1, kind="stable")
    savings = np.cumsum(np.take_along_axis(np.concatenate(weights, axis=1), order, axis=1), axis=1)
    return np.take_along_axis(every_point, order, axis=1), savings


def _worthwhile_count(points: Floats, savings: Floats, price_usd_per_month: float) -> Floats:
    """Return the largest count of which every instance saves more than it costs."""
    pays = savings > price_usd_per_month * (1 + 1e-12)
    first = np.argmax(pays, axis=1)
    at_first = np.take_along_axis(points, first[:, None], axis=1)[:, 0]
    return np.where(pays.any(axis=1), np.maximum(at_first, 0), 0)
