"""Reduces arrivals to representative rates, burstiness and growth, and measures what the reduction loses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from advisor.errors import InputError
from advisor.traces.records import Floats, Trace
from advisor.traffic import RATE_QUANTILES, RateQuantiles, Traffic

HOUR_S, DAY_S, WEEK_S = 3600.0, 86_400.0, 604_800.0
MONTH_S = 730.0 * HOUR_S
MONDAY_POSIX_S = 4 * DAY_S
"""POSIX time of the first Monday, 5 January 1970."""
FINE_WINDOW_S = 60.0
"""Windows of a trace shorter than a day, in seconds."""
FEWEST_WINDOWS = 20
REPLICAS_AT_PEAK = 10.0
"""Replicas that the busiest window takes when the error in replica-hours is measured."""
GROWTH_WEEKS = 9
"""Whole weeks from which on growth is estimated: two months."""

Shape = Literal["week", "day", "quantiles"]


@dataclass(frozen=True, slots=True)
class Windows:
    """Arrival rates of successive windows; a week or a day is cut at whole hours of the clock."""

    requests_per_s: Floats
    covered_s: Floats
    """Seconds of each window that lie within the trace."""
    hour: NDArray[np.int64]
    """Hour of the week at which each window begins, 0 on Monday 0:00."""
    width_s: float


def shape_of(trace: Trace) -> Shape:
    """Return which profile a trace is long enough for: hours of a week, of a day, or quantiles."""
    if trace.duration_s >= WEEK_S:
        return "week"
    return "day" if trace.duration_s >= DAY_S else "quantiles"


def windows(trace: Trace) -> Windows:
    """Return the rate of every window of a trace: hours where it lasts a day, minutes or less otherwise.

    A trace without dates is taken to begin on a Monday at 0:00.
    """
    if shape_of(trace) == "quantiles":
        count = max(FEWEST_WINDOWS, round(trace.duration_s / FINE_WINDOW_S))
        return _cut(trace.arrival_s, trace.duration_s, trace.duration_s / count, 0.0)
    offset = 0.0 if trace.start_posix_s is None else (trace.start_posix_s - MONDAY_POSIX_S) % WEEK_S
    return _cut(trace.arrival_s, trace.duration_s, HOUR_S, offset)


def _cut(arrival_s: Floats, duration_s: float, width_s: float, offset_s: float) -> Windows:
    begin = math.floor(offset_s / width_s)
    number = np.floor((arrival_s + offset_s) / width_s).astype(np.int64) - begin
    last = max(math.ceil((duration_s + offset_s) / width_s - 1e-9) - begin, 1)
    counts = np.bincount(np.minimum(number, last - 1), minlength=last).astype(float)
    edges = np.clip((np.arange(last + 1) + begin) * width_s - offset_s, 0.0, duration_s)
    covered = np.diff(edges)
    kept = covered > 1e-9 * width_s
    hour = ((np.arange(last) + begin) * width_s // HOUR_S).astype(np.int64) % 168
    return Windows(counts[kept] / covered[kept], covered[kept], hour[kept], width_s)


def profile(found: Windows, hours: int, *, weight: Floats | None = None) -> tuple[float, ...]:
    """Return the mean rate of each hour of a day (24) or a week (168), each second of the trace counted once.

    Args:
        found: Hourly windows.
        hours: 24 or 168.
        weight: Factor on each window's rate, such as one that takes out growth.

    Example:
        >>> two_days = Windows(np.arange(48.0), np.full(48, 3600.0), np.arange(48), 3600.0)
        >>> profile(two_days, 24)[:3]  # (0 + 24) / 2, (1 + 25) / 2, ...
        (12.0, 13.0, 14.0)
    """
    rates = found.requests_per_s if weight is None else found.requests_per_s * weight
    hour = found.hour % hours
    requests = np.bincount(hour, rates * found.covered_s, hours)
    covered = np.bincount(hour, found.covered_s, hours)
    mean = float(rates @ found.covered_s / found.covered_s.sum())
    return tuple(np.where(covered > 0.0, requests / np.maximum(covered, 1e-12), mean).tolist())


def quantiles(found: Windows) -> RateQuantiles:
    """Return the quantiles whose periods come nearest to the windows' load-duration curve."""
    rates = found.requests_per_s
    values = {name: float(np.quantile(rates, share)) for name, share in RATE_QUANTILES.items()}
    ends = {"min": float(rates.min()), "max": float(rates.max())}
    fits: list[tuple[float, RateQuantiles]] = []
    for count in range(1, len(values) + 1):
        for names in combinations(values, count):
            for mean in ({"mean": mean_rate(found)}, {}):
                fits += _valid({**ends, **{name: values[name] for name in names}, **mean}, found)
    return min(fits, key=lambda fit: fit[0])[1]


def _valid(fields: dict[str, float], found: Windows) -> list[tuple[float, RateQuantiles]]:
    try:
        candidate = RateQuantiles.model_validate(
            {name: float(f"{value:.6g}") for name, value in fields.items()}
        )
        return [(load_duration_error(found, candidate.periods()), candidate)]
    except (InputError, ValueError):
        return []


def mean_rate(found: Windows) -> float:
    """Return the mean rate over all windows, in requests per second."""
    return float(found.requests_per_s @ found.covered_s / found.covered_s.sum())


def load_duration_error(found: Windows, periods: Sequence[tuple[float, float]]) -> float:
    r"""Return the area between the load-duration curves of the trace and of its periods, over the area below them.

    $$\frac{\int_0^1 |Q_1(u) - Q_2(u)| du}{\int_0^1 Q_1(u) du}$$

    with the quantile functions $Q$ of the rate over time.

    Args:
        found: Windows of the trace.
        periods: (requests per second, hours) that stand for it.

    Example:
        >>> trace = Windows(np.array([1.0, 3.0]), np.array([60.0, 60.0]), np.array([0, 0]), 60.0)
        >>> load_duration_error(trace, [(2.0, 730.0)])  # 1 everywhere, of a mean of 2
        0.5
    """
    rates, hours = (np.array(column, dtype=float) for column in zip(*periods, strict=True))
    share_1, value_1 = _curve(found.requests_per_s, found.covered_s)
    share_2, value_2 = _curve(rates, hours)
    edges = np.unique(np.concatenate([[0.0], share_1, share_2]))
    middle = (edges[1:] + edges[:-1]) / 2.0
    gap = np.abs(_at(middle, share_1, value_1) - _at(middle, share_2, value_2))
    return float(gap @ np.diff(edges) / mean_rate(found))


def _curve(rates: Floats, lengths: Floats) -> tuple[Floats, Floats]:
    order = np.argsort(rates, kind="stable")
    share = np.cumsum(lengths[order]) / lengths.sum()
    share[-1] = 1.0
    return share, rates[order]


def _at(share: Floats, ends: Floats, values: Floats) -> Floats:
    return np.asarray(values[np.minimum(np.searchsorted(ends, share), len(values) - 1)])


def replica_hours_error(found: Windows, periods: Sequence[tuple[float, float]]) -> float:
    """Return the replica-hours of the periods over those of the trace, less 1, with ten replicas at the trace's peak.

    Example:
        >>> trace = Windows(np.array([1.0, 10.0]), np.array([60.0, 60.0]), np.array([0, 0]), 60.0)
        >>> round(replica_hours_error(trace, [(5.5, 730.0)]), 4)  # 6 replicas against 1 and 10
        0.0909
    """
    rates, hours = (np.array(column, dtype=float) for column in zip(*periods, strict=True))
    capacity = float(found.requests_per_s.max()) / REPLICAS_AT_PEAK
    real = _replicas(found.requests_per_s, capacity) @ found.covered_s / found.covered_s.sum()
    return float(_replicas(rates, capacity) @ hours / hours.sum() / real - 1.0)


def _replicas(rates: Floats, capacity: float) -> Floats:
    return np.maximum(np.ceil(rates / capacity - 1e-6), 1.0)


@dataclass(frozen=True, slots=True)
class Growth:
    """Trend of weekly requests: what a month multiplies the rate by, less 1, and its standard error."""

    per_month_ratio: float
    standard_error_ratio: float
    end_over_mean_ratio: float
    """Rate at the end of the trace over its mean."""

    @property
    def is_significant(self) -> bool:
        """Whether the trend is more than two standard errors."""
        return abs(self.per_month_ratio) > 2.0 * self.standard_error_ratio


def growth(arrival_s: Floats) -> Growth | None:
    r"""Return the growth per month of a trace of at least nine whole weeks: the slope of the logarithm of weekly requests.

    Source: ordinary least squares; the standard error is that of the slope.

    Example:
        >>> weekly = [np.linspace(0, 604800, int(1000 * 1.1**week), endpoint=False) + week * 604800 for week in range(12)]
        >>> round(growth(np.concatenate([*weekly, [12 * 604800.0]])).per_month_ratio, 2)  # 1.1^(730 / 168) - 1
        0.51
    """
    weeks = int(arrival_s[-1] // WEEK_S)
    if weeks < GROWTH_WEEKS:
        return None
    counts = np.bincount((arrival_s // WEEK_S).astype(np.int64), minlength=weeks)[:weeks]
    if (counts == 0).any():
        return None
    week = np.arange(weeks) - (weeks - 1) / 2.0
    logs = np.log(counts)
    slope = float(week @ (logs - logs.mean()) / (week @ week))
    left = logs - logs.mean() - slope * week
    error = math.sqrt(float(left @ left) / (weeks - 2) / float(week @ week))
    to_month = MONTH_S / WEEK_S
    month = math.expm1(slope * to_month)
    trend = np.exp(slope * (np.arange(weeks) + 0.5))
    return Growth(month, (1.0 + month) * error * to_month, float(np.exp(slope * weeks) / trend.mean()))


def detrended(found: Windows, trend: Growth) -> Floats:
    """Return the factor on each window's rate that brings it to the level at the end of the trace."""
    at_s = np.cumsum(found.covered_s) - found.covered_s / 2.0
    left_months = (float(found.covered_s.sum()) - at_s) / MONTH_S
    return np.asarray((1.0 + trend.per_month_ratio) ** left_months, dtype=float)


def periods_of(requests_per_s: tuple[float, ...] | RateQuantiles) -> tuple[tuple[float, float], ...]:
    """Return the representative periods that a workload makes of these rates."""
    return Traffic.model_validate({"requests_per_s": requests_per_s}).periods()
