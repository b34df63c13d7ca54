r"""What shared rows are worth: a bound from any prices, and the reduced cost of every column.

With a price for each unit of use of a pool in a period, of a quota and of a limit, services hang together no more: each
takes the column that is cheapest at these prices, and what all of them pay, less what quotas and limits allow for
nothing, is a bound (Lagrangian relaxation). The package docstring has the formula.
"""

from dataclasses import dataclass

import numpy as np

from advisor.solver.columns import COST
from advisor.solver.data import PlanKind, Pool
from advisor.solver.flat import Flat
from advisor.solver.tables import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Prices:
    """What shared rows are worth, in USD per month.

    Attributes:
        cover: Pool name to the price of covering one instance in each period, before shares are taken off.
        groups: Quota group name to the price of one instance in each period; at least 0.
        limits: Limit name to the price of one unit of its sum or mean; at least 0.
    """

    cover: dict[str, Floats]
    groups: dict[str, Floats]
    limits: dict[str, float]

    def between(self, other: "Prices", weight: float) -> "Prices":
        """Return prices that are `weight` of these and the rest of others."""
        rest = 1.0 - weight
        return Prices(
            {name: weight * own + rest * other.cover[name] for name, own in self.cover.items()},
            {name: weight * own + rest * other.groups[name] for name, own in self.groups.items()},
            {name: weight * own + rest * other.limits[name] for name, own in self.limits.items()},
        )


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """What prices prove.

    Attributes:
        value: No choice costs less, in USD per month.
        reduced: What each column costs at the prices, beyond the cheapest allowed one of its service.
        cheapest: Price of the cheapest allowed column of each service.
    """

    value: float
    reduced: Floats
    cheapest: Floats


def bound(flat: Flat, prices: Prices) -> Bound:
    """Return the bound that prices prove, whatever they are: prices too high for a pool are lowered first."""
    hours = flat.hours
    paid = np.where(flat.allowed, flat.cost, np.inf)
    free = 0.0
    by_use = {name: np.zeros(len(hours)) for name in flat.uses}
    for pool in flat.program.pools:
        if not pool.owned and pool.name in by_use:
            by_use[pool.name], lost = use_price(pool, prices.cover[pool.name], hours)
            free += lost
    for group in flat.program.groups:
        price = np.maximum(prices.groups[group.name], 0.0)
        free += float(price.sum()) * group.max_instances
        for name in group.pools:
            if name in by_use:
                by_use[name] = by_use[name] + price
    for name, use in flat.uses.items():
        paid[use.at] += use.counts @ by_use[name]
    for limit in flat.program.limits:
        if limit.attribute != COST and limit.name in flat.shares:
            price_of_unit = max(prices.limits[limit.name], 0.0)
            paid += price_of_unit * flat.shares[limit.name]
            free += price_of_unit * limit.bound
    cheapest = np.minimum.reduceat(paid, flat.starts)
    with np.errstate(invalid="ignore"):
        reduced = paid - cheapest[flat.owner]
    return Bound(float(cheapest.sum()) - free, reduced, cheapest)


def nothing_fits(flat: Flat, prices: Prices) -> bool:
    r"""Return whether prices prove that no choice keeps every quota and limit, whatever it costs.

    So it is where the cheapest columns at the prices $\mu, \nu \ge 0$ of quotas and limits alone pay more than these allow.
    """
    needed, allowed = np.where(flat.allowed, 0.0, np.inf), 0.0
    for group in flat.program.groups:
        price = np.maximum(prices.groups[group.name], 0.0)
        allowed += float(price.sum()) * group.max_instances
        for name in group.pools:
            if name in flat.uses:
                needed[flat.uses[name].at] += flat.uses[name].counts @ price
    for limit in flat.program.limits:
        if limit.name in flat.shares:
            price_of_unit = max(prices.limits[limit.name], 0.0)
            needed += price_of_unit * flat.shares[limit.name]
            allowed += price_of_unit * limit.bound
    least = np.minimum.reduceat(needed, flat.starts)
    size = float(np.abs(least).sum()) + abs(allowed)
    return bool(least.sum() - allowed > 1e-9 * size)


def use_price(pool: Pool, cover: Floats, hours: Floats) -> tuple[Floats, float]:
    r"""Return what one instance in use costs in each period, and what plans with a quota give away, in USD per month.

    Prices $\lambda_t$ of covering are lowered to what an hourly plan without limits costs, and together to what a
    commitment without quota costs. A plan limited to a share $\sigma$ of the use takes $\sigma (\lambda_t - \pi h_t)^+$ off.

    Example:
        >>> from advisor.solver import Plan
        >>> plans = (Plan("on-demand", "hourly", 1.0), Plan("spot", "hourly", 0.5, max_share_of_use=0.4))
        >>> use_price(Pool("a", plans), np.array([999.0]), np.array([730.0]))  # 730 x (0.6 x 1 + 0.4 x 0.5)
        (array([584.]), 0.0)
    """
    price, lost = np.maximum(cover, 0.0), 0.0
    for plan in pool.hourly:
        if plan.quota is None and plan.max_share_of_use >= 1.0:
            price = np.minimum(price, plan.usd_per_h * hours)
    for plan in pool.committed:
        full = plan.usd_per_h * float(hours.sum())
        if plan.quota is None and price.sum() > full:
            price = price * (full / float(price.sum()))
    by_use = price.copy()
    for plan in pool.plans:
        if plan.kind is PlanKind.COMMITTED and plan.quota is not None:
            lost += plan.quota * max(float(price.sum()) - plan.usd_per_h * float(hours.sum()), 0.0)
        elif plan.max_share_of_use < 1.0:
            by_use -= plan.max_share_of_use * np.maximum(price - plan.usd_per_h * hours, 0.0)
        elif plan.quota is not None:
            lost += plan.quota * float(np.maximum(price - plan.usd_per_h * hours, 0.0).sum())
    return by_use, lost
