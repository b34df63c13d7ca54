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
_NORMAL_QUANTILES = {
    "p50": 0.0,
    "p90": 1.2815515655446004,
    "p95": 1.6448536269514722,
    "p99": 2.3263478740408408,
}
_TAIL = {"p50": 0.5, "p90": 0.1, "p95": 0.05, "p99": 0.01}


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
        exceeded = np.maximum(self.probability / _TAIL[statistic], 1.0)
        return np.asarray(self.conditional_mean_s * np.log(exceeded))


@dataclasses.dataclass(frozen=True, slots=True)
class Moments:
    """Cumulants of a latency, each one value or an array: mean, variance, and the third and fourth."""

    mean: Values
    variance: Values
    third: Values = 0.0
    fourth: Values = 0.0

    def __add__(self, other: Moments) -> Moments:
        """Return the cumulants of the sum of two independent quantities."""
        return Moments(
            self.mean + other.mean,
            self.variance + other.variance,
            self.third + other.third,
            self.fourth + other.fourth,
        )


def normal_cdf(z: Values) -> Array:
    r"""Return $\Phi(z)$ to 2e-4, without scipy.

    Source: Bowling et al. 2009, "A logistic approximation to the cumulative normal distribution".

    Example:
        >>> [round(float(normal_cdf(z)), 3) for z in (-1.0, 0.0, 2.0)]
        [0.159, 0.5, 0.977]
    """
    z = np.clip(z, -12.0, 12.0)
    return np.asarray(1.0 / (1.0 + np.exp(-z * (1.5976 + 0.07056 * z * z))))


@dataclasses.dataclass(frozen=True, slots=True)
class GammaShape:
    r"""A quantity of known cumulants as Pearson type III with a correction for a flat top.

    $$q = m + s \left(\frac{2}{\gamma}\left[\left(1 + \frac{\gamma z}{6} - \frac{\gamma^2}{36}\right)^3 - 1\right]
    + \frac{\kappa_4}{24 s^4}(z^3 - 3z)\right)$$

    Source: Wilson and Hilferty 1931; Cornish and Fisher 1938 for the fourth cumulant.
    """

    mean: Values
    deviation: Values
    skewness: Values
    flatness: Values
    floor: Values

    @classmethod
    def of(cls, moments: Moments, *, floor: Values) -> GammaShape:
        """Return the shape of these cumulants, skewed enough not to reach below `floor` where the spread is wide.

        Args:
            moments: Cumulants in powers of seconds.
            floor: Smallest value possible, in seconds.

        Example:
            >>> shape = GammaShape.of(Moments(mean=1.0, variance=1.0, third=2.0), floor=0.0)  # exponential, mean 1 s
            >>> [round(float(shape.quantile_s(z)), 1) for z in (0.0, 2.3263)]  # ln 2 = 0.69, ln 100 = 4.6
            [0.7, 4.6]
        """
        variance = np.maximum(moments.variance, 1e-24)
        deviation = np.sqrt(variance)
        relative = deviation / np.maximum(moments.mean - floor, 1e-12)
        least = 2.0 * relative * np.clip(2.0 * relative - 1.0, 0.0, 1.0)
        skewness = np.minimum(
            np.maximum(np.maximum(moments.third / (deviation * variance), least), 1e-3), 6.0
        )
        flatness = np.maximum(moments.fourth / (24.0 * variance * variance), -0.05)
        return cls(moments.mean, deviation, skewness, flatness, floor)

    def quantile_s(self, z: Values) -> Array:
        r"""Return the value that a share $\Phi(z)$ stays below, in seconds."""
        root = np.maximum(1.0 - self.skewness * self.skewness / 36.0 + self.skewness * z / 6.0, 0.0)
        standard = (root * root * root - 1.0) * (2.0 / self.skewness) + self.flatness * (z * z * z - 3.0 * z)
        return np.asarray(np.maximum(self.mean + self.deviation * standard, self.floor))

    def or_else(self, here: npt.NDArray[np.bool_], other: GammaShape) -> GammaShape:
        """Return this shape where `here`, and the other one elsewhere."""
        fields = (field.name for field in dataclasses.fields(self))
        return GammaShape(*(np.where(here, getattr(self, name), getattr(other, name)) for name in fields))


def gamma_statistics(moments: Moments, *, floor: Values, wait: Wait | None = None) -> StatisticFunction:
    """Return the statistics of a quantity of known cumulants.

    Args:
        moments: Cumulants of the part that everybody sees, in powers of seconds.
        floor: Smallest value possible, in seconds.
        wait: An independent wait that is added to it.
    """
    shape = GammaShape.of(moments, floor=floor)
    return _with_wait(moments.mean, lambda statistic: shape.quantile_s(_NORMAL_QUANTILES[statistic]), wait)


def two_part_statistics(
    share: Values, part: Moments, other: Moments, *, floor: Values, wait: Wait | None = None
) -> StatisticFunction:
    r"""Return the statistics of a quantity that is `part` for some and `other` for the rest.

    With the smaller of the two called A and the larger B, seen by a share $w$, a percentile is
    $\max(q_A(p), q_B(1 - (1 - p) / w))$, a close lower bound: B alone exceeds it often enough, and A is never larger.

    Args:
        share: Share of those that see `part`, 0 to 1.
        part: Cumulants of the one quantity, in powers of seconds.
        other: Cumulants of the other quantity.
        floor: Smallest value possible, in seconds.
        wait: An independent wait that is added to both.

    Example:
        >>> slow, fast = Moments(mean=9.0, variance=1e-6), Moments(mean=1.0, variance=1e-6)
        >>> statistic_s = two_part_statistics(0.2, slow, fast, floor=0.0)
        >>> [round(float(statistic_s(name)), 1) for name in ("mean", "p50", "p90")]
        [2.6, 1.0, 9.0]
    """
    one, two = GammaShape.of(part, floor=floor), GammaShape.of(other, floor=floor)
    mean = share * part.mean + (1.0 - share) * other.mean
    ordered = np.asarray(part.mean >= other.mean)
    if ordered.all():
        larger, smaller, seen = one, two, np.asarray(share)
    else:
        larger, smaller = one.or_else(ordered, two), two.or_else(ordered, one)
        seen = np.where(ordered, share, 1.0 - share)

    def quantile_s(statistic: str) -> Array:
        tail = _TAIL[statistic]
        within = larger.quantile_s(normal_quantile(1.0 - tail / np.maximum(seen, tail)))
        usual = smaller.quantile_s(_NORMAL_QUANTILES[statistic])
        return np.where(tail < seen, np.maximum(within, usual), usual)

    return _with_wait(mean, quantile_s, wait)


def normal_quantile(share: Values) -> Array:
    r"""Return $\Phi^{-1}$ to 0.02, without scipy.

    Source: Joiner and Rosenblatt 1971 (Tukey's lambda distribution).

    Example:
        >>> [round(float(normal_quantile(share)), 2) for share in (0.5, 0.9, 0.99)]
        [0.0, 1.28, 2.34]
    """
    share = np.clip(share, 1e-4, 1.0 - 1e-4)
    return np.asarray((share**0.135 - (1.0 - share) ** 0.135) / 0.1975)


def lognormal_statistics(moments: Moments, *, wait: Wait | None = None) -> StatisticFunction:
    r"""Return the statistics of a lognormal quantity of known mean and variance: $q = m e^{z s - s^2 / 2}$.

    Args:
        moments: Cumulants of the part that everybody sees, in powers of seconds; third and fourth are not used.
        wait: An independent wait that is added to it.

    Example:
        >>> round(float(lognormal_statistics(Moments(mean=2.0, variance=4.0))("p50")), 4)  # 2 / sqrt(2)
        1.4142
    """
    log_variance = np.log1p(moments.variance / np.maximum(moments.mean * moments.mean, 1e-300))
    log_deviation = np.sqrt(log_variance)
    median = moments.mean * np.exp(-0.5 * log_variance)

    def quantile_s(statistic: str) -> Array:
        return np.asarray(median * np.exp(_NORMAL_QUANTILES[statistic] * log_deviation))

    return _with_wait(moments.mean, quantile_s, wait)


def _with_wait(mean_s: Values, quantile_s: StatisticFunction, wait: Wait | None) -> StatisticFunction:
    """Add a wait: the spreads of two independent quantities join as the root of the sum of their squares."""

    def statistic_s(statistic: str) -> Array:
        if statistic == "mean":
            return np.asarray(mean_s if wait is None else mean_s + wait.mean_s, dtype=float)
        value = quantile_s(statistic)
        if wait is None:
            return value
        spread, waited = value - mean_s, wait.quantile_s(statistic)
        return np.asarray(
            mean_s + np.where(spread > 0.0, np.sqrt(spread * spread + waited * waited), spread + waited)
        )

    return statistic_s


def seen_by_some(share: Values, part: Moments, other: Moments) -> Moments:
    """Return the cumulants of a quantity that is `part` with probability `share` and `other` otherwise."""
    gap = part.mean - other.mean
    mixed = share * (1.0 - share)
    return Moments(
        share * part.mean + (1.0 - share) * other.mean,
        share * part.variance + (1.0 - share) * other.variance + mixed * gap * gap,
        share * part.third
        + (1.0 - share) * other.third
        + mixed * gap * (3.0 * (part.variance - other.variance) + (1.0 - 2.0 * share) * gap * gap),
        share * part.fourth + (1.0 - share) * other.fourth,
    )


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
