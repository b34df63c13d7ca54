"""How many requests arrive and how large they are: rates over a month, and lengths with their spread."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import NormalDist
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from advisor.errors import InputError
from advisor.inputs import Input
from advisor.units import COUNT, HOURS_PER_MONTH, Count, Ratio, RequestsPerSecond

ASSUMED_LENGTH_CV = 1.0
"""Spread of a length of which only the mean is known: assumed, near the 0.96 of inputs in the Azure trace of 2023."""
_SLICES = 4
_QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
RATE_QUANTILES = {"p10": 0.1, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99}
"""Shares of the hours for which a rate may be stated, by name."""


def _fitted(values: object) -> object:
    """Fill in the mean and the spread: of a plain number none, of two quantiles those of a lognormal."""
    if isinstance(values, Distribution):
        return values
    if not isinstance(values, Mapping):
        return {"mean": _positive(values), "cv": 0.0}
    if not set(values) <= {"mean", "cv", *_QUANTILES}:
        return values
    known = {
        share: COUNT.read(values[name]) for name, share in _QUANTILES.items() if values.get(name) is not None
    }
    given = {key: value for key, value in values.items() if value is not None}
    if {"mean", "cv"} <= set(given):
        return values
    if len(known) >= 2:
        return dict(zip(("mean", "cv"), _lognormal(known), strict=True)) | given
    if "mean" not in given:
        raise InputError("expected a number, or mean (and cv), or two of p50, p90, p95 and p99")
    return values


def _positive(value: object) -> float:
    number = COUNT.read(value)
    if number <= 0:
        raise InputError(f"got {value}; expected more than 0")
    return number


def _lognormal(known: Mapping[float, float]) -> tuple[float, float]:
    """Return mean and coefficient of variation of the lognormal through the lowest and the highest quantile."""
    (low, small), (high, large) = min(known.items()), max(known.items())
    if not 0 < small <= large:
        raise InputError(f"got quantiles from {small:g} to {large:g}; expected them above 0 and growing")
    normal = NormalDist()
    sigma = math.log(large / small) / (normal.inv_cdf(high) - normal.inv_cdf(low))
    mean = small * math.exp(sigma**2 / 2 - sigma * normal.inv_cdf(low))
    return mean, math.sqrt(math.expm1(sigma**2))


class Distribution(Input):
    """A length that varies between requests, seen as lognormal: a mean with its cv, or two quantiles."""

    model_config = ConfigDict(json_schema_extra={"required": []})

    mean: Count
    """Arithmetic mean; 0 where requests have no such length."""
    cv: Count = Field(ASSUMED_LENGTH_CV, le=20)
    """Standard deviation over mean; assumed 1 where only the mean is given."""
    p50: Count | None = None
    """Median."""
    p90: Count | None = None
    """90 % are not longer."""
    p95: Count | None = None
    """95 % are not longer."""
    p99: Count | None = None
    """99 % are not longer."""

    @model_validator(mode="after")
    def _growing(self) -> "Distribution":
        stated = [value for name in _QUANTILES if (value := getattr(self, name)) is not None]
        if stated != sorted(stated):
            raise InputError(
                f"got quantiles {', '.join(f'{value:g}' for value in stated)}; expected them to grow"
            )
        return self

    def quantile(self, share: float) -> float:
        r"""Return the length that a `share` of requests does not exceed: as stated, else of the lognormal.

        $$\mu e^{z \sigma - \sigma^2 / 2}, \quad \sigma^2 = \ln(1 + c^2)$$

        Args:
            share: Between 0 and 1, both excluded.

        Example:
            >>> round(Distribution(mean=1000, cv=1.0).quantile(0.5), 1)  # 1000 / sqrt(2)
            707.1
        """
        stated = next((getattr(self, name) for name, known in _QUANTILES.items() if known == share), None)
        if stated is not None:
            return float(stated)
        sigma = math.sqrt(math.log1p(self.cv**2))
        return self.mean * math.exp(NormalDist().inv_cdf(share) * sigma - sigma**2 / 2)


Length = Annotated[Distribution, BeforeValidator(_fitted, json_schema_input_type=float | str | Distribution)]
"""A field that takes a number (every request alike), a mean with its cv, or quantiles."""


class RateQuantiles(Input):
    """Quantiles of the arrival rate over the hours of a month."""

    min: RequestsPerSecond = 0.0
    """Rate of the quietest moment; 0 where not given."""
    p10: RequestsPerSecond | None = None
    """10 % of the hours have at most this rate."""
    p25: RequestsPerSecond | None = None
    """25 % of the hours have at most this rate."""
    p50: RequestsPerSecond | None = None
    """Half of the hours have at most this rate."""
    p75: RequestsPerSecond | None = None
    """75 % of the hours have at most this rate."""
    p90: RequestsPerSecond | None = None
    """90 % of the hours have at most this rate."""
    p95: RequestsPerSecond | None = None
    """95 % of the hours have at most this rate."""
    p99: RequestsPerSecond | None = None
    """99 % of the hours have at most this rate."""
    max: RequestsPerSecond | None = None
    """Rate of the busiest moment; the highest quantile where not given."""
    mean: RequestsPerSecond | None = None
    """Mean rate; scales the hours below the lowest quantile so that the month's requests agree."""

    @model_validator(mode="after")
    def _usable(self) -> "RateQuantiles":
        stated = [value for name in RATE_QUANTILES if (value := getattr(self, name)) is not None]
        ends = [self.min, *stated, *([self.max] if self.max is not None else [])]
        if not stated:
            raise InputError("expected at least one of p10, p25, p50, p75, p90, p95 and p99")
        if ends != sorted(ends):
            raise InputError(
                f"got rates {', '.join(f'{value:g}' for value in ends)} from min to max; expected them to grow"
            )
        self._quiet_power()
        return self

    def periods(self) -> tuple[tuple[float, float], ...]:
        """Return representative (requests per second, hours a month), quietest first.

        The rate grows evenly from quantile to quantile, and each stretch is cut into four slices with the mean
        rate of the slice. Below the lowest quantile it grows as a power of the share of hours that makes the
        month's mean right, evenly where no mean is given. Hours above the highest quantile run at the maximum.

        Example:
            >>> RateQuantiles(p50=80).periods()
            ((10.0, 91.25), (30.0, 91.25), (50.0, 91.25), (70.0, 91.25), (80.0, 365.0))
        """
        found: list[tuple[float, float]] = []
        for (low, start), (high, end) in pairwise(self._knots()):
            power = self._quiet_power() if low == 0 else 1.0
            hours = (high - low) * HOURS_PER_MONTH / _SLICES
            found += [(start + (end - start) * share, hours) for share in _slice_means(power)]
        top, _ = self._knots()[-1]
        return (*found, (self._peak(), (1 - top) * HOURS_PER_MONTH))

    def _knots(self) -> list[tuple[float, float]]:
        stated = [
            (share, value)
            for name, share in RATE_QUANTILES.items()
            if (value := getattr(self, name)) is not None
        ]
        return [(0.0, self.min), *stated]

    def _peak(self) -> float:
        return self._knots()[-1][1] if self.max is None else self.max

    def _quiet_power(self) -> float:
        """Return the power of the curve below the lowest quantile; infinite: it stays at the minimum."""
        knots = self._knots()
        share, first = knots[1]
        if self.mean is None or first == self.min:
            return 1.0
        above = (1 - knots[-1][0]) * self._peak()
        busy = sum((high - low) * (start + end) / 2 for (low, start), (high, end) in pairwise(knots[1:]))
        quiet = (self.mean - above - busy) / share
        if not self.min - 1e-9 <= quiet <= first + 1e-9:
            low, high = (above + busy + share * rate for rate in (self.min, first))
            raise InputError(f"got the mean {self.mean:g}; these quantiles allow {low:.4g} to {high:.4g}")
        return max(0.0, (first - self.min) / (quiet - self.min) - 1) if quiet > self.min else math.inf


def _slice_means(power: float) -> list[float]:
    """Return the mean of `u ** power` over each of the equal slices of 0 to 1.

    Example:
        >>> _slice_means(1.0)
        [0.125, 0.375, 0.625, 0.875]
    """
    if math.isinf(power):
        return [0.0] * _SLICES
    sums = [(edge / _SLICES) ** (power + 1) for edge in range(_SLICES + 1)]
    return [(high - low) * _SLICES / (power + 1) for low, high in pairwise(sums)]


def _form(value: object) -> str:
    if isinstance(value, RateQuantiles | Mapping):
        return "(quantiles)"
    return "(hours)" if isinstance(value, list | tuple) else "(rate)"


def _hours(values: Sequence[object]) -> Sequence[object]:
    if len(values) not in {24, 168}:
        count = "no hourly values" if not values else f"{len(values)} hourly values"
        raise InputError(
            f"got {count}; expected 24 (a day) or 168 (a week from Monday 0:00), or one rate, or quantiles"
        )
    return values


Rates = float | tuple[float, ...] | RateQuantiles


def _some(rates: Rates) -> Rates:
    if isinstance(rates, RateQuantiles):
        highest = max(rate for rate, _ in rates.periods())
    else:
        highest = max(rates) if isinstance(rates, tuple) else rates
    if highest <= 0:
        raise InputError("every rate is 0; there is no traffic to serve")
    return rates


_Rates = Annotated[
    Annotated[RequestsPerSecond, Tag("(rate)")]
    | Annotated[tuple[RequestsPerSecond, ...], BeforeValidator(_hours), Tag("(hours)")]
    | Annotated[RateQuantiles, Tag("(quantiles)")],
    Discriminator(_form),
    AfterValidator(_some),
]


class Traffic(Input):
    """When requests arrive."""

    requests_per_s: _Rates
    """Arrival rate: one number; 24 hourly values of a day or 168 of a week; or quantiles such as {p50: 20, p99: 90}."""
    arrival_cv: Count = Field(1.0, gt=0, le=100)
    """Burstiness: standard deviation over mean of the time between requests; 1, assumed, is Poisson."""
    growth_per_month: Ratio = Field(0.0, lt=1)
    """Growth of the rate from month to month, such as 3%."""
    trace: str | None = Field(None, max_length=500)
    """Trace of requests to take the rates, burstiness, growth and lengths from, such as requests.csv, instead of
    `requests_per_s`; its path starts at the folder of this file."""
    where: dict[str, str] = Field(default_factory=dict)
    """Rows of the trace to keep, such as {service: code}."""
    trace_sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    """SHA-256 of the trace that the rates were taken from; written by advisor."""

    def periods(self) -> tuple[tuple[float, float], ...]:
        """Return (requests per second, hours a month) for each representative period of a month of 730 hours.

        One rate is one period; hourly values are a period each, in their order; quantiles see
        `RateQuantiles.periods`.

        Example:
            >>> Traffic(requests_per_s="120/s").periods()
            ((120.0, 730.0),)
        """
        rates = self.requests_per_s
        if isinstance(rates, RateQuantiles):
            return rates.periods()
        hourly = rates if isinstance(rates, tuple) else (rates,)
        return tuple((rate, HOURS_PER_MONTH / len(hourly)) for rate in hourly)

    @property
    def mean_requests_per_s(self) -> float:
        """Mean rate over the month."""
        return sum(rate * hours for rate, hours in self.periods()) / HOURS_PER_MONTH

    @property
    def peak_requests_per_s(self) -> float:
        """Rate of the busiest period."""
        return max(rate for rate, _ in self.periods())
