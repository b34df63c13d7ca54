r"""What following the load costs: an autoscaler sees a noisy rate, and pays for the most it saw needed for a while.

The replicas of a plan are those that carry each period's rate. An autoscaler that follows the load has more of them:
bursts make it start some in vain, and it keeps what it started for a while; and fewer where it is late on a rise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from advisor import cost

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

WINDOW_S = 300.0
"""Assumed: window over which the rate is taken; replayed request by request, shorter ones see bursts. `cost.DETECTION_S`
is half of it and of the time between two looks."""
STEADY_S = 600.0
"""Assumed: time for which fewer replicas must have sufficed before one is taken away; Kubernetes waits 300 s unless told,
and with less a rate near a threshold has replicas taken away that take minutes to come back."""
_MOMENTS = 4
"""Moments of each period at which the machines are counted."""
_SIGMAS = 5.0
"""Numbers of machines that are further from the rate seen than so many deviations are certain."""
_STEPS = 64
"""Most numbers of machines that are looked at one by one; where more are uncertain, equal groups of them are."""


def machines_paid(
    periods: cost.Periods,
    *,
    capacity_requests_per_s: Floats,
    per_instance: Floats,
    at_least: Floats,
    dispersion: float,
) -> Floats:
    r"""Return the machines that an autoscaler pays for on average in each period, shape (candidates, periods).

    It pays for the most that it saw needed within the steady time s. The rate that it sees is normal about the true one,
    with the variance of the counts in its window w, and within the steady time it sees m independent ones:

    $$E[n] = n_0 + \sum_{k \ge n_0} 1 - \Phi\left(\frac{k c_k - r}{\sqrt{r I / w}}\right)^m, \quad m = 1 + 2 s / w$$

    with the capacity $c_k$ of k machines over their number, the machines $n_0$ that are kept at any rate, the index
    of dispersion I of the arrivals and the rate r:
    the larger of those seen now and at the start of the steady time, straight lines between the middles of the periods.
    A load curve without order has the rate of its period all the time.

    Args:
        periods: Traffic; in its order in time where that is known.
        capacity_requests_per_s: Highest rate of one replica, shape (candidates, levels); see `cost.replicas`.
        per_instance: Replicas on one machine, one entry for each candidate.
        at_least: Machines kept at any rate, one entry for each candidate.
        dispersion: Variance over mean of the arrivals in a window: the square of the coefficient of variation of the
            times between them.

    Source:
        Derived here; replayed request by request over days of traffic it is within 1 % (tests/test_replay.py).

    Example:
        >>> steady = cost.Periods(np.array([9.5]), np.array([730.0]))
        >>> one = dict(capacity_requests_per_s=np.array([[1.0]]), per_instance=np.array([1.0]), at_least=np.array([1.0]))
        >>> machines_paid(steady, dispersion=1e-9, **one)  # nothing varies: what the rate needs
        array([[10.]])
        >>> machines_paid(steady, dispersion=1.0, **one).round(2)  # deviation 0.18/s: 1 - Phi(0.5 / 0.178)^5 = 0.012 more
        array([[10.01]])
    """
    rates = _seen(periods)
    shape = (len(per_instance), rates.shape[0] * rates.shape[1])
    flat = rates.reshape(1, -1)
    sigma = np.sqrt(np.maximum(flat * dispersion / WINDOW_S, 1e-12))
    looks = 1.0 + 2.0 * STEADY_S / WINDOW_S
    low = np.maximum(
        _machines(flat - _SIGMAS * sigma, capacity_requests_per_s, per_instance), at_least[:, None]
    )
    high = np.maximum(
        _machines(flat + _SIGMAS * sigma, capacity_requests_per_s, per_instance), at_least[:, None]
    )
    found = np.broadcast_to(low, shape).copy()
    spread = (high - low).max(axis=1)
    group = np.maximum(np.ceil(spread / _STEPS), 1.0)
    for step in range(int(np.ceil(spread / group).max(initial=0.0))):
        rows = np.flatnonzero(spread > step * group)
        several = group[rows, None]
        count = low[rows] + step * several + np.floor((several - 1.0) / 2.0)
        replicas = count * per_instance[rows, None]
        carried = replicas * _capacity_of(replicas, capacity_requests_per_s[rows])
        surely = _normal((carried - flat) / sigma)
        found[rows] += np.where(count < high[rows], several * (1.0 - surely**looks), 0.0)
    return np.asarray(found.reshape(len(per_instance), *rates.shape).mean(axis=2), dtype=np.float64)


def _seen(periods: cost.Periods) -> Floats:
    """Return the rates that count at some moments of each hour, shape (hours, moments), in requests per second."""
    rates = periods.requests_per_s
    if not periods.in_order:
        return rates[:, None]
    middle = np.concatenate([[rates[-1]], rates, [rates[0]]])
    moments = np.arange(len(rates))[:, None] + (np.arange(_MOMENTS) + 0.5)[None, :] / _MOMENTS

    def before(lag_s: float) -> Floats:
        at = (moments - lag_s / 3600.0) % len(rates)
        return np.asarray(np.interp(at, np.arange(-0.5, len(rates) + 1.0), middle), dtype=np.float64)

    return np.maximum(before(WINDOW_S / 2.0), before(WINDOW_S / 2.0 + STEADY_S))


def _machines(rates: Floats, capacity: Floats, per_instance: Floats) -> Floats:
    covered = np.broadcast_to(np.maximum(rates, 0.0), (len(per_instance), rates.shape[1]))
    count = cost.replicas(covered, capacity_requests_per_s=capacity, at_least=0)
    return np.asarray(np.ceil(count / per_instance[:, None] - 1e-9), dtype=np.float64)


def _capacity_of(replicas: Floats, capacity: Floats) -> Floats:
    return np.take_along_axis(capacity, cost.level_of(replicas, capacity.shape[1]), axis=1)


def _normal(z: Floats) -> Floats:
    r"""Return $\Phi(z)$ to 8e-8: Abramowitz and Stegun, 1964, 26.2.17."""
    t = 1.0 / (1.0 + 0.2316419 * np.abs(z))
    tail = np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)
    upper = (
        tail
        * t
        * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    )
    return np.asarray(np.where(z >= 0.0, 1.0 - upper, upper), dtype=np.float64)
