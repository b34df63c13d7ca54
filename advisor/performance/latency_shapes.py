"""Latencies from their moments: gamma where a floor and a short tail dominate, lognormal where lengths of answers do."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from advisor.performance.queueing import NORMAL_QUANTILES, TAIL, Array, StatisticFunction, Values, Wait


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
    return _with_wait(moments.mean, lambda statistic: shape.quantile_s(NORMAL_QUANTILES[statistic]), wait)


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
        tail = TAIL[statistic]
        within = larger.quantile_s(normal_quantile(1.0 - tail / np.maximum(seen, tail)))
        usual = smaller.quantile_s(NORMAL_QUANTILES[statistic])
        return np.where(tail < seen, np.maximum(within, usual), usual)

    return _with_wait(mean, quantile_s, wait)


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
        return np.asarray(median * np.exp(NORMAL_QUANTILES[statistic] * log_deviation))

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


def normal_quantile(share: Values) -> Array:
    r"""Return $\Phi^{-1}$ to 0.02, without scipy.

    Source: Joiner and Rosenblatt 1971 (Tukey's lambda distribution).

    Example:
        >>> [round(float(normal_quantile(share)), 2) for share in (0.5, 0.9, 0.99)]
        [0.0, 1.28, 2.34]
    """
    share = np.clip(share, 1e-4, 1.0 - 1e-4)
    return np.asarray((share**0.135 - (1.0 - share) ** 0.135) / 0.1975)
