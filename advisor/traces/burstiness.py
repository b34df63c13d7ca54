"""How unevenly requests arrive: between neighbours, by time scale, and within the time a new replica takes to start."""

from __future__ import annotations

import math

import numpy as np

from advisor.traces.records import Floats

MINUTE_S, HOUR_S = 60.0, 3600.0
FEWEST_ARRIVALS = 20
"""Arrivals in a window for its burstiness to count."""
TIME_SCALES_S = (1.0, 10.0, 60.0, 600.0)


def interarrival_cv(arrival_s: Floats) -> float:
    """Return the median over windows of the coefficient of variation of the times between arrivals.

    Windows last a minute, or as long as 50 arrivals take on average, an hour at most; those with fewer than 20 arrivals
    are left out, and where all are, the whole trace is one window.

    Example:
        >>> interarrival_cv(np.arange(100.0))
        0.0
    """
    gaps = np.diff(arrival_s)
    width = min(max(MINUTE_S, 50.0 * float(gaps.mean())), HOUR_S)
    number = (arrival_s[:-1] // width).astype(np.int64)
    same = (arrival_s[1:] // width).astype(np.int64) == number
    count = np.bincount(number[same])
    total, squares = np.bincount(number[same], gaps[same]), np.bincount(number[same], gaps[same] ** 2)
    used = (count >= FEWEST_ARRIVALS) & (total > 0.0)
    if not used.any():
        return float(gaps.std() / gaps.mean())
    mean = total[used] / count[used]
    variance = np.maximum(squares[used] / count[used] - mean**2, 0.0)
    return float(np.median(np.sqrt(variance) / mean))


def dispersion(arrival_s: Floats, scale_s: float, *, within_s: float) -> float | None:
    r"""Return the index of dispersion of counts: variance over mean of the arrivals in windows of a length.

    The variance is about the mean of the enclosing longer stretch, so that slow changes of the rate stay out of it.

    Args:
        arrival_s: Times of arrival, in seconds, ascending.
        scale_s: Length of a window.
        within_s: Length of the enclosing stretch.

    Returns:
        1 for Poisson arrivals, more for bursts; None where a stretch holds fewer than four windows.

    Example:
        >>> paired = np.repeat(np.arange(0.0, 400.0, 2.0), 2)  # two at once, every 2 s
        >>> dispersion(paired, 1.0, within_s=100.0)  # counts 2, 0, 2, 0: variance 1.01 of 100 windows, mean 1
        1.0101010101010102
    """
    per_stretch = int(min(within_s, float(arrival_s[-1])) // scale_s)
    if per_stretch < 4:
        return None
    stretches = max(int(float(arrival_s[-1]) // (per_stretch * scale_s)), 1)
    number = (arrival_s // scale_s).astype(np.int64)
    counts = np.bincount(number[number < stretches * per_stretch], minlength=stretches * per_stretch)
    table = counts.reshape(stretches, per_stretch).astype(float)
    return float(table.var(axis=1, ddof=1).sum() / max(table.mean(axis=1).sum(), 1e-12))


def surge(
    arrival_s: Floats, lag_s: float, *, share: float = 0.99, observed_s: float = MINUTE_S
) -> float | None:
    """Return how far the rate rises above what an autoscaler last saw, before its new replica answers.

    Of every minute, the busiest minute of the lag that follows over the minute itself or the mean rate, whichever is
    larger; the quantile over minutes, each counted by the requests of that busiest minute.

    Args:
        arrival_s: Times of arrival, in seconds, ascending.
        lag_s: Time until a new replica answers.
        share: Share of the requests that may not see more.
        observed_s: Window over which the rate is observed.

    Returns:
        1 where nothing surges; None where the trace is shorter than four lags.

    Example:
        >>> surge(np.arange(0.0, 7200.0, 0.1), 300.0)
        1.0
    """
    ahead = max(math.ceil(lag_s / observed_s), 1)
    number = (arrival_s // observed_s).astype(np.int64)
    counts = np.bincount(number)[: int(arrival_s[-1] // observed_s)].astype(float)
    if len(counts) < 4 * (ahead + 1):
        return None
    peaks = np.lib.stride_tricks.sliding_window_view(counts[1:], ahead).max(axis=1)
    seen = np.maximum(counts[: len(peaks)], counts.mean())
    ratio = np.maximum(peaks / seen, 1.0)
    order = np.argsort(ratio, kind="stable")
    reached = np.cumsum(peaks[order]) / peaks.sum()
    return float(ratio[order][min(int(np.searchsorted(reached, share)), len(order) - 1)])
