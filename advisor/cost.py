"""Replicas hour by hour, the machines they need, and what those cost: closed forms, vectorised over candidates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from advisor.catalog import InstanceType
    from advisor.strategy import Purchase, Scaling

HOURS_PER_MONTH = 730.0
DETECTION_S = 157.0
"""Assumed: time until an autoscaler has seen and acted on a rise of the load, in seconds: half of a window of 300 s over
which the rate is taken, and half of 15 s between two looks. Replayed request by request: shorter windows add and remove
replicas by chance."""
PROVISION_S = 180.0
"""Published by practitioners as 3 to 5 minutes: time until a new node accepts work, in seconds."""
ENGINE_START_S = 40.0
"""Measured: start of a vLLM engine with a compile cache, Llama-3-70B on 8 x H100, 38 to 45 s."""
WEIGHT_LOAD_BYTES_PER_S = 2.0 * 2**30
"""Measured: 32.9 GiB of weights a GPU read in 16 s, the same log."""
FORECAST_MARGIN_RATIO = 0.10
"""Assumed: room that a schedule leaves for days that are busier than forecast."""
SPOT_SHARE = 0.70
"""Assumed: most of a service that may run on machines that can be taken back."""
SPOT_REALISED_RATIO = 0.57
"""Published: spot cost of a fault-tolerant LLM fleet against on-demand (AS-0001); list discounts are an upper bound."""


@dataclass(frozen=True, slots=True)
class Periods:
    """Traffic of a representative month: arrival rate and length of each period, in their order in time.

    Args:
        requests_per_s: Arrival rates, one for each period.
        hours_per_month: Hours a month each stands for.
    """

    requests_per_s: NDArray[np.float64]
    hours_per_month: NDArray[np.float64]
    in_order: bool = True
    """Whether each period follows the one before; false for a load curve, of which nobody knows the order."""

    @property
    def peak_requests_per_s(self) -> float:
        """Highest arrival rate, in requests per second."""
        return float(self.requests_per_s.max())


def start_s(weight_bytes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the time from a rise of the load to a new replica's first answer, in seconds.

    Detection, a new node, loading the weights and starting the engine, one after the other.

    Args:
        weight_bytes: Bytes of weights an accelerator loads.

    Example:
        >>> float(start_s(np.array(2.0 * 2**30 * 10)))
        387.0
    """
    return DETECTION_S + PROVISION_S + weight_bytes / WEIGHT_LOAD_BYTES_PER_S + ENGINE_START_S


def covered_rates(periods: Periods, scaling: Scaling, *, lag_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the arrival rate that the replicas of each period must carry, in requests per second.

    - `static`: the busiest period's rate all the time.
    - `reactive` and `scale-to-zero`: the period's rate, and what it rises by (linearly towards the next period,
      the last one being followed by the first) while a new replica starts.
    - `scheduled`: the period's rate and a margin for days busier than forecast.

    Of a load curve without order the rate may rise to the peak within any hour, and no schedule can be made.

    Args:
        periods: Traffic.
        scaling: Policy.
        lag_s: Time until a new replica works, one for each candidate, in seconds.

    Returns:
        Shape (candidates, periods).

    Example:
        >>> day = Periods(np.array([10.0, 30.0]), np.array([365.0, 365.0]))
        >>> covered_rates(day, "static", lag_s=np.array([0.0]))
        array([[30., 30.]])
        >>> covered_rates(day, "reactive", lag_s=np.array([360.0]))  # a tenth of an hour of a rise of 20 an hour
        array([[12., 30.]])
    """
    rates = periods.requests_per_s
    count = (len(lag_s), len(rates))
    if scaling == "static" or (scaling == "scheduled" and not periods.in_order):
        return np.full(count, rates.max())
    if scaling == "scheduled":
        return np.broadcast_to(np.minimum(rates * (1.0 + FORECAST_MARGIN_RATIO), rates.max()), count)
    rise = np.maximum(np.roll(rates, -1) - rates, 0.0) if periods.in_order else rates.max() - rates
    return np.asarray(rates + rise * np.minimum(lag_s / 3600.0, 1.0)[:, None], dtype=np.float64)


def mean_growth(growth_per_month: float, *, horizon_months: float) -> float:
    r"""Return the mean traffic over the horizon against today's: $\frac{1}{m} \int_0^m (1 + g)^t dt$.

    Args:
        growth_per_month: Growth g from month to month, 0.03 for 3 %.
        horizon_months: Months m that are looked ahead.

    Example:
        >>> mean_growth(0.0, horizon_months=12.0)
        1.0
        >>> round(mean_growth(0.10, horizon_months=12.0), 3)  # (1.1^12 - 1) / (12 ln 1.1)
        1.87
    """
    if growth_per_month == 0.0:
        return 1.0
    rate = math.log1p(growth_per_month)
    return math.expm1(rate * horizon_months) / (rate * horizon_months)


SHARING = (1, 2, 4, 8)
"""Numbers of replicas from which on the capacity of one is found anew, as they even out bursts between them."""


def arrival_cvs(arrival_cv: float) -> tuple[float, ...]:
    r"""Return the burstiness that one of several replicas sees, for each of `SHARING`; one value where it is always Poisson.

    A stream that is split at random among n replicas has $c_n^2 = 1 + (c^2 - 1) / n$; between the numbers of `SHARING`
    the burstier end is taken.

    Args:
        arrival_cv: Standard deviation over mean of the times between all arrivals, c.

    Source:
        Splitting of a renewal process: Whitt, "The queueing network analyzer", Bell System Technical Journal 62(9), 1983.

    Example:
        >>> [round(cv, 2) for cv in arrival_cvs(3.0)]
        [3.0, 2.24, 1.73, 1.41]
        >>> arrival_cvs(1.0)
        (1.0,)
    """
    if arrival_cv == 1.0:
        return (1.0,)
    if arrival_cv > 1.0:
        return tuple(math.sqrt(1.0 + (arrival_cv**2 - 1.0) / count) for count in SHARING)
    return (arrival_cv, *(1.0 for _ in SHARING[1:]))


def replicas(
    covered: NDArray[np.float64], *, capacity_requests_per_s: NDArray[np.float64], at_least: int
) -> NDArray[np.float64]:
    """Return the least whole number of replicas that carry each period, and at least `at_least`.

    Args:
        covered: Rates to carry, shape (candidates, periods).
        capacity_requests_per_s: Highest rate of one replica within the limits, shape (candidates, levels): where
            there are at least as many replicas as `SHARING` says for the level.
        at_least: Replicas kept where there is hardly any traffic.

    Example:
        >>> replicas(np.array([[0.0, 25.0]]), capacity_requests_per_s=np.array([[10.0]]), at_least=1)
        array([[1., 3.]])
        >>> replicas(np.array([[9.0, 25.0]]), capacity_requests_per_s=np.array([[8.0, 20.0, 20.0, 20.0]]), at_least=1)
        array([[2., 2.]])
    """
    best = np.full(covered.shape, np.inf)
    levels = capacity_requests_per_s.shape[1]
    for level in range(levels):
        with np.errstate(divide="ignore", invalid="ignore"):
            needed = np.ceil(covered / capacity_requests_per_s[:, level, None] - 1e-9)
        needed = np.maximum(np.nan_to_num(needed, nan=0.0, posinf=np.inf), SHARING[level] if level else 0)
        below = SHARING[level + 1] if level + 1 < levels else np.inf
        best = np.where(needed < below, np.minimum(best, needed), best)
    return np.asarray(np.maximum(best, at_least))


def level_of(count: NDArray[np.float64], levels: int) -> NDArray[np.int64]:
    """Return the level of `SHARING` that a number of replicas belongs to, below `levels`.

    Example:
        >>> level_of(np.array([0.0, 1.0, 3.0, 50.0]), 4)
        array([0, 0, 1, 3])
    """
    return np.clip(np.searchsorted(SHARING[:levels], count, side="right") - 1, 0, levels - 1)


TERM_MONTHS = {"reserved-1y": 12.0, "reserved-3y": 36.0}
"""How long a commitment is paid for."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Effective prices of the ways to buy that one purchase option uses, in USD per hour; one entry for each candidate.

    Args:
        on_demand: By the hour, always to be had.
        committed: Paid in every hour of the month, used or not; infinite where none is made.
        spot: By the hour, for at most `SPOT_SHARE` of the machines in use; infinite where none is used.
    """

    on_demand: NDArray[np.float64]
    committed: NDArray[np.float64]
    spot: NDArray[np.float64]

    def take(self, keep: NDArray[Any]) -> Prices:
        """Return the prices at those positions."""
        return Prices(self.on_demand[keep], self.committed[keep], self.spot[keep])


def prices(instance_types: Sequence[InstanceType], purchase: Purchase, *, horizon_months: float) -> Prices:
    """Return the effective prices of machines bought in one way; on-demand alone where a machine is not sold like that.

    - Spot realises less than its list discount: never below `SPOT_REALISED_RATIO` of on-demand.
    - A commitment is paid to its end: one that is longer than the horizon costs its whole term within it, so it
      never looks cheaper than it is.

    Args:
        instance_types: The machines.
        purchase: How they are bought beside on-demand.
        horizon_months: Months for which they are needed.

    Example:
        >>> from advisor.catalog import Catalog
        >>> machine = Catalog.load().instance("p5.48xlarge")
        >>> float(prices([machine], "reserved-3y", horizon_months=36.0).committed[0].round(2))
        28.62
        >>> float(prices([machine], "reserved-3y", horizon_months=12.0).committed[0].round(2))
        85.86
    """
    on_demand = np.array([machine.prices["on-demand"].usd_per_h for machine in instance_types])
    beside = np.array(
        [
            machine.prices[purchase].usd_per_h if purchase in machine.prices else np.inf
            for machine in instance_types
        ]
    )
    never = np.full(len(instance_types), np.inf)
    if purchase == "spot":
        return Prices(on_demand, never, np.maximum(beside, SPOT_REALISED_RATIO * on_demand))
    if purchase == "on-demand":
        return Prices(on_demand, never, never)
    return Prices(on_demand, beside * max(1.0, TERM_MONTHS[purchase] / horizon_months), never)


def purchases(
    instances: NDArray[np.float64], hours: NDArray[np.float64], price: Prices
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how many machines are reserved, and how many each period has on spot; the rest is on demand.

    The cheapest split in closed form: reserve a machine where it is used for a larger share of the month than the
    reserved price is of the on-demand price; run on spot what the reliable floor allows.

    Args:
        instances: Machines in use, shape (candidates, periods).
        hours: Hours a month of each period.
        price: Effective prices, one for each candidate.

    Returns:
        Reserved machines, shape (candidates,), and spot machines, shape (candidates, periods).

    Example:
        >>> use, half = np.array([[4.0, 1.0]]), Prices(np.array([1.0]), np.array([0.5]), np.array([np.inf]))
        >>> purchases(use, np.array([438.0, 292.0]), half)[0]  # 4 run 60 % of the time
        array([4.])
        >>> purchases(use, np.array([292.0, 438.0]), half)[0]  # 4 run 40 %
        array([1.])
    """
    on_spot = np.where((price.spot < price.on_demand)[:, None], np.floor(SPOT_SHARE * instances + 1e-9), 0.0)
    if not (price.committed < price.on_demand).any():
        return np.zeros(len(instances)), on_spot
    order = np.argsort(-instances, axis=1, kind="stable")
    share = np.cumsum(hours[order], axis=1) / hours.sum()
    pays = share * price.on_demand[:, None] >= price.committed[:, None] - 1e-12
    first = np.take_along_axis(order, np.argmax(pays, axis=1)[:, None], axis=1)
    reserved = np.take_along_axis(instances, first, axis=1)[:, 0]
    return np.where(price.committed < price.on_demand, reserved, 0.0), on_spot


def machine_usd_per_month(
    instances: NDArray[np.float64], hours: NDArray[np.float64], price: Prices
) -> NDArray[np.float64]:
    r"""Return what the machines cost in a month under the cheapest split, in USD.

    $$\sum_t h_t \left( p_{od} \, (m_t - r - q_t)^+ + p_q \, q_t \right) + H p_r r$$

    with m machines in use, r reserved, q on spot, h hours of the period and H hours of the month.

    Args:
        instances: Machines in use m, shape (candidates, periods).
        hours: Hours a month of each period.
        price: Effective prices, one for each candidate.

    Example:
        >>> use, half = np.array([[4.0, 1.0]]), Prices(np.array([1.0]), np.array([0.5]), np.array([np.inf]))
        >>> float(machine_usd_per_month(use, np.array([292.0, 438.0]), half)[0])  # 3 x 292 + 0.5 x 730
        1241.0
    """
    reserved, spot = purchases(instances, hours, price)
    on_demand = np.maximum(instances - reserved[:, None] - spot, 0.0) @ hours * price.on_demand
    on_spot = spot @ hours * np.where(np.isfinite(price.spot), price.spot, 0.0)
    committed = hours.sum() * reserved * np.where(np.isfinite(price.committed), price.committed, 0.0)
    return np.asarray(on_demand + on_spot + committed, dtype=np.float64)


def amortised_usd_per_month(
    one_time_usd: NDArray[np.float64], *, horizon_months: float
) -> NDArray[np.float64]:
    """Return a one-time cost spread evenly over the horizon, in USD per month.

    Example:
        >>> float(amortised_usd_per_month(np.array(12000.0), horizon_months=12.0))
        1000.0
    """
    return one_time_usd / horizon_months
