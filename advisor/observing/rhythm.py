"""Rates over a window reduced to the hours of a week or of a day, or to quantiles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from advisor.observing.observation import Rhythm
from advisor.observing.words import digits
from advisor.traces import reduction
from advisor.traffic import RateQuantiles

FEWEST_OF_A_WEEK = 0.8
"""Share of the 168 hours that must have been seen for a profile of the week."""
_ENOUGH_FOR_QUANTILES = 20
_HOURS_OF_A_DAY = 24


def rhythm(points: Sequence[tuple[float, float]], *, step_s: float, expected: int) -> Rhythm | None:
    """Return the rhythm of rates, each over the step that ends at its time; None where there are none.

    Args:
        points: (seconds since 1970 UTC, requests per second).
        step_s: Length of a step.
        expected: Steps in the window; the missing ones are told.

    Example:
        >>> hours = [(3600.0 * (hour + 1), float(hour % 24)) for hour in range(48)]
        >>> found = rhythm(hours, step_s=3600.0, expected=48)
        >>> found.rates[:3], found.mean_requests_per_s
        ((0.0, 1.0, 2.0), 11.5)
    """
    if not points:
        return None
    moments, rates = (np.array(column, dtype=float) for column in zip(*sorted(points), strict=True))
    hour = (
        ((moments - step_s / 2 - reduction.MONDAY_POSIX_S) % reduction.WEEK_S) // reduction.HOUR_S
    ).astype(np.int64)
    found = reduction.Windows(rates, np.full(len(rates), step_s), hour, step_s)
    missing = max(expected - len(points), 0)
    notes = (
        [f"{missing:,} of {expected:,} steps have no data, or too little, and are left out"]
        if missing
        else []
    )
    shape, shape_notes = _shape(found)
    return Rhythm(
        rates=shape,
        mean_requests_per_s=float(rates.mean()),
        busiest_requests_per_s=float(rates.max()),
        notes=(*notes, *shape_notes),
    )


def _shape(found: reduction.Windows) -> tuple[tuple[float, ...] | RateQuantiles | float, list[str]]:
    seen = set(found.hour.tolist())
    days = {hour % _HOURS_OF_A_DAY for hour in seen}
    if found.width_s <= reduction.HOUR_S and len(days) == _HOURS_OF_A_DAY:
        if len(seen) >= FEWEST_OF_A_WEEK * 168:
            filled = _week(found, seen)
            gaps = 168 - len(seen)
            notes = (
                [f"{gaps} hours of the week were not seen and take the mean of their hour of the day"]
                if gaps
                else []
            )
            return filled, notes
        return _rounded(reduction.profile(found, _HOURS_OF_A_DAY)), []
    note = ["not every hour of the day was seen, so these rates stand for the whole month"]
    if len(found.requests_per_s) >= _ENOUGH_FOR_QUANTILES and found.requests_per_s.max() > 0:
        return reduction.quantiles(found), note
    return digits(reduction.mean_rate(found)), note


def _week(found: reduction.Windows, seen: set[int]) -> tuple[float, ...]:
    week, day = reduction.profile(found, 168), reduction.profile(found, _HOURS_OF_A_DAY)
    return _rounded([rate if hour in seen else day[hour % _HOURS_OF_A_DAY] for hour, rate in enumerate(week)])


def _rounded(rates: Sequence[float]) -> tuple[float, ...]:
    return tuple(digits(rate) for rate in rates)
