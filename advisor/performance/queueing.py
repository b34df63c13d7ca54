"""Latency distributions in closed form and the search for the highest rate that keeps them within limits.

Waiting times have no exact closed form for general arrivals and services, so every latency is summarised by its
first moments and mapped to percentiles by a distribution of the right shape: gamma (Wilson-Hilferty) where a floor and
a short tail dominate, lognormal where lengths of answers dominate, an atom at zero with an exponential tail for waits.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Values = float | Array
T = TypeVar("T")

_BLOCK_ROWS = 8192
STATISTICS = ("mean", "p50", "p90", "p95", "p99")
StatisticFunction = Callable[[str], Array]
"""Gives the value in seconds of one of `STATISTICS`; each is computed only when it is asked for."""
NORMAL_QUANTILES = {
    "p50": 0.0,
    "p90": 1.2815515655446004,
    "p95": 1.6448536269514722,
    "p99": 2.3263478740408408,
}
TAIL = {"p50": 0.5, "p90": 0.1, "p95": 0.05, "p99": 0.01}


@dataclasses.dataclass(frozen=True, slots=True)
class Latency:
    """Mean and percentiles of one latency, in seconds; each field has one entry for each candidate."""

    mean_s: Array
    p50_s: Array
    p90_s: Array
    p95_s: Array
    p99_s: Array

    def __getitem__(self, statistic: str) -> Array:
        """Return one of `STATISTICS`, such as `latency["p99"]`, in seconds.

        Raises:
            KeyError: The statistic is not one of `STATISTICS`.
        """
        if statistic not in STATISTICS:
            message = f"no statistic {statistic!r} of a latency; expected one of {', '.join(STATISTICS)}"
            raise KeyError(message)
        value: Array = getattr(self, f"{statistic}_s")
        return value

    @classmethod
    def of(cls, statistic_s: StatisticFunction) -> Latency:
        """Return all statistics of one latency."""
        return cls(*(statistic_s(statistic) for statistic in STATISTICS))

    def scaled(self, ratio: Values) -> Latency:
        """Return the same latencies times `ratio`."""
        return Latency(*(np.asarray(self[statistic] * ratio) for statistic in STATISTICS))

    def where(self, stable: npt.NDArray[np.bool_]) -> Latency:
        """Return the same latencies with infinity in every row that is not `stable`."""
        return Latency(*(np.where(stable, self[statistic], np.inf) for statistic in STATISTICS))


@dataclasses.dataclass(frozen=True, slots=True)
class Wait:
    """A wait that is zero for most and exponential for the rest."""

    probability: Values
    """Share of requests that wait at all, 0 to 1."""
    conditional_mean_s: Values
    """Mean wait of those that wait, in seconds."""

    @property
    def mean_s(self) -> Values:
        """Mean over all requests, in seconds."""
        return self.probability * self.conditional_mean_s

    def quantile_s(self, statistic: str) -> Array:
        r"""Return a percentile: $\theta \ln(C / (1 - p))$, not below zero, in seconds.

        Example:
            >>> round(float(Wait(0.5, 2.0).quantile_s("p99")), 3)  # 2 ln 50
            7.824
        """
        exceeded = np.maximum(self.probability / TAIL[statistic], 1.0)
        return np.asarray(self.conditional_mean_s * np.log(exceeded))


def normal_cdf(z: Values) -> Array:
    r"""Return $\Phi(z)$ to 2e-4, without scipy.

    Source: Bowling et al. 2009, "A logistic approximation to the cumulative normal distribution".

    Example:
        >>> [round(float(normal_cdf(z)), 3) for z in (-1.0, 0.0, 2.0)]
        [0.159, 0.5, 0.977]
    """
    z = np.clip(z, -12.0, 12.0)
    return np.asarray(1.0 / (1.0 + np.exp(-z * (1.5976 + 0.07056 * z * z))))


def point_memory(requests: Values, *, arrival_cv: Values) -> Array:
    r"""Return how much of the long-run burstiness an arrival finds within so many mean interarrival times, 0 to 1.

    The expected arrivals within $\tau$ mean interarrival times after an arrival are $\tau + (c_a^2 - 1) m(\tau) / 2$.

    Source: fitted here to gamma renewal processes with a coefficient of variation of 0.3 to 4, within 0.1.

    Example:
        >>> float(point_memory(np.inf, arrival_cv=2.0))
        1.0
    """
    return _memory(requests, arrival_cv, scale=0.15)


def windowed_memory(requests: Values, *, arrival_cv: Values) -> Array:
    r"""Return how much of the long-run burstiness a window of so many mean interarrival times shows, 0 to 1.

    Variance over mean of the arrivals in the window is $1 + (c_a^2 - 1) m$.

    Source: fitted here to gamma renewal processes with a coefficient of variation of 0.3 to 4, within 0.1.

    Example:
        >>> float(windowed_memory(np.inf, arrival_cv=2.0))
        1.0
    """
    return _memory(requests, arrival_cv, scale=0.37)


def _memory(requests: Values, arrival_cv: Values, *, scale: float) -> Array:
    if np.ndim(arrival_cv) == 0 and arrival_cv == 1.0:
        return np.ones(())  # Poisson arrivals have no burstiness to remember; saves the powers below
    exponent = np.minimum(np.maximum(arrival_cv, 1e-3) ** -0.75, 1.8)
    return np.asarray(1.0 / (1.0 + (scale / np.maximum(requests, 1e-9)) ** exponent))


def delay_probability(*, servers: Values, mean: Values, variance: Values, drain_ratio: Values) -> Array:
    r"""Return the share of arrivals that find all `servers` taken, from the moments of the unlimited system.

    The number in an unlimited system is taken as gamma distributed with cumulative distribution $F$ and density $f$.
    Below the limit the limited system has the same relative probabilities; above, the queue is geometric and
    loses a share `drain_ratio` with each further request:
    $$C = \frac{f(M) / d}{F(M) + f(M) / d}$$

    Assumes: a birth-death process; exact for Poisson arrivals and exponential lengths but for the gamma shape.

    Example:
        >>> from math import isclose  # Erlang C for 8 offered and 10 servers is 0.409
        >>> found = delay_probability(servers=10.0, mean=8.0, variance=8.0, drain_ratio=0.2)
        >>> isclose(found, 0.409, abs_tol=0.05)
        True
    """
    shape = mean * mean / np.maximum(variance, 1e-12)
    root_shape = np.sqrt(shape)
    ratio = np.cbrt(np.minimum(servers / np.maximum(mean, 1e-12), 1e9))
    z = np.clip(3.0 * root_shape * (ratio - 1.0) + 1.0 / (3.0 * root_shape), -12.0, 38.0)
    density = 0.3989422804014327 * np.exp(-0.5 * z * z) * root_shape * ratio / servers
    queued = density / np.maximum(drain_ratio, 1e-12)
    return np.asarray(queued / (normal_cdf(z) + queued))


def highest_rate(
    meets: Callable[[Array, slice], npt.NDArray[np.bool_]],
    *,
    ceiling_requests_per_s: Array,
    iterations: int = 13,
) -> Array:
    """Return the highest rate that meets the limits, by bisection between 0 and a ceiling, in requests per second.

    Rows are searched in blocks that stay in the processor's cache.

    Args:
        meets: For each row of a block, whether the limits hold at that rate; once broken they stay broken at
            higher rates.
        ceiling_requests_per_s: A rate for each row at which the limits cannot hold; one dimension.
        iterations: Halvings; 13 leave an error of 1.2e-4 of the ceiling, always on the safe side.

    Returns:
        0 where even the smallest rate breaks a limit.

    Example:
        >>> found = highest_rate(lambda rate, rows: rate <= 3.0, ceiling_requests_per_s=np.array([4.0, 8.0]))
        >>> np.round(found, 2)
        array([3., 3.])
    """
    found = np.zeros_like(ceiling_requests_per_s)
    for start in range(0, found.size, _BLOCK_ROWS):
        rows = slice(start, start + _BLOCK_ROWS)
        low, step = found[rows], ceiling_requests_per_s[rows]
        if not meets(step * 0.5**iterations, rows).any():
            continue  # no row holds at the smallest rate that is tried
        for _ in range(iterations):
            step = step * 0.5
            candidate = low + step
            low = np.where(meets(candidate, rows), candidate, low)
        found[rows] = low
    return found


def rows_of(value: T, rows: slice, count: int) -> T:
    """Return a dataclass of arrays with only some of its rows; scalars stay.

    Args:
        value: Dataclass, tuple, array or scalar, nested as deep as needed.
        rows: Rows to keep.
        count: Number of rows of the arrays that have them.
    """
    if isinstance(value, np.ndarray):
        return value[rows] if value.shape[:1] == (count,) else value  # type: ignore[return-value]
    if isinstance(value, tuple):
        return tuple(rows_of(item, rows, count) for item in value)  # type: ignore[return-value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return dataclasses.replace(
            value, **{name: rows_of(item, rows, count) for name, item in fields.items()}
        )
    return value
