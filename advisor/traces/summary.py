"""What a trace says to a workload: rates with the error of their reduction, burstiness, lengths and growth."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from advisor.results import Result
from advisor.traces import burstiness, reduction
from advisor.traces.reading import read_trace
from advisor.traces.records import Floats, Trace
from advisor.traffic import RateQuantiles

LAGS_S = (60.0, 300.0, 600.0)
BURST_S = 2.0
"""Length of a burst that a queue of seconds feels. A replay of the Azure code trace of 2023 has the tail of TTFT that
the closed form gives at the index of dispersion between 2 s and 5 s."""


class Lengths(Result):
    """Distribution of a length, in tokens."""

    mean: float
    cv: float
    """Standard deviation over mean."""
    p50: float
    p90: float
    p95: float
    p99: float

    @classmethod
    def of(cls, tokens: Floats) -> Lengths:
        """Return the distribution of these lengths.

        Example:
            >>> Lengths.of(np.array([100.0, 300.0])).cv  # deviation 100, mean 200
            0.5
        """
        mean = float(tokens.mean())
        p50, p90, p95, p99 = (float(value) for value in np.quantile(tokens, (0.5, 0.9, 0.95, 0.99)))
        return cls(
            mean=mean, cv=float(tokens.std() / mean) if mean else 0.0, p50=p50, p90=p90, p95=p95, p99=p99
        )


class Dispersion(Result):
    """Variance over mean of the arrivals in windows of one length; 1 is Poisson."""

    window_s: float
    index: float


class Surge(Result):
    """How far the rate rises above the minute last seen, within a lag; 99 % of requests see no more."""

    lag_s: float
    ratio: float


class TrafficSummary(Result):
    """A trace reduced to what a workload needs."""

    source: str
    layout: str
    requests: int
    """Requests that were answered."""
    failed: int
    """Requests without an answer; left out of everything else."""
    start: str | None
    """First arrival, UTC; null where the trace counts from its own start, which is taken for Monday 0:00."""
    duration_s: float
    window_s: float
    """Windows over which rates were taken, in seconds."""
    mean_requests_per_s: float
    peak_requests_per_s: float
    """Rate of the busiest window."""
    requests_per_s: tuple[float, ...] | RateQuantiles
    """168 hours of a week, 24 of a day, or quantiles over windows, by the length of the trace."""
    periods: tuple[tuple[float, float], ...]
    """Representative (requests per second, hours a month)."""
    curve: tuple[float, ...]
    """Rates along the trace, each the mean of an equal part of it, for a picture."""
    load_duration_error_ratio: float
    """Area between the load-duration curves of trace and periods, over the area below."""
    replica_hours_error_ratio: float
    """Replica-hours of the periods over those of the trace, less 1, with ten replicas at the peak."""
    peak_error_ratio: float
    """Rate of the busiest period over that of the busiest window, less 1."""
    interarrival_cv: float
    """Standard deviation over mean of the times between arrivals: median over windows of a minute."""
    arrival_cv: float
    """Burstiness for the workload: the larger of `interarrival_cv` and the root of the index of dispersion over 2 s
    within a minute, as bursts that last for seconds load a queue more than the times between arrivals show."""
    dispersion: tuple[Dispersion, ...]
    surges: tuple[Surge, ...]
    input_tokens: Lengths | None
    output_tokens: Lengths | None
    length_correlation: float | None
    """Correlation of the logarithms of input and output lengths."""
    prefix_share_ratio: float | None
    """Share of the prompts' tokens that an endless prefix cache would have held."""
    growth_per_month_ratio: float | None
    """Null where the trace is shorter than nine weeks."""
    growth_standard_error_ratio: float | None
    notes: tuple[str, ...] = ()

    def workload_fields(self) -> dict[str, Any]:
        """Return the keys `requests` (where lengths are known) and `traffic` of a workload."""
        requests: dict[str, Any] = {}
        for name, lengths in (("input_tokens", self.input_tokens), ("output_tokens", self.output_tokens)):
            if lengths is not None and lengths.mean > 0.0:
                requests[name] = {key: _digits(value) for key, value in lengths.model_dump().items()}
        if self.prefix_share_ratio:
            requests["prefix_share"] = _digits(self.prefix_share_ratio)
        return ({"requests": requests} if requests else {}) | {"traffic": self._traffic()}

    def _errors(self) -> str:
        return (
            f"{self.load_duration_error_ratio:.1%} of the load-duration curve, "
            f"{self.replica_hours_error_ratio:+.1%} replica-hours, {self.peak_error_ratio:+.1%} at the peak"
        )

    def _traffic(self) -> dict[str, Any]:
        rates = self.requests_per_s
        stated: Any
        if isinstance(rates, RateQuantiles):
            stated = {key: value for key, value in rates.model_dump().items() if value is not None}
        else:
            stated = [_digits(rate) for rate in rates]
        traffic = {"requests_per_s": stated, "arrival_cv": max(_digits(self.arrival_cv), 0.01)}
        if (self.growth_per_month_ratio or 0.0) > 0.0:
            traffic["growth_per_month"] = min(_digits(self.growth_per_month_ratio or 0.0), 0.999)
        return traffic

    def to_yaml(self) -> str:
        """Return the same as YAML to paste into a workload, with its origin and errors as comments."""
        lines = [
            f"# From {self.source}: {self.requests:,} requests in {self.duration_s / 3600.0:,.1f} h"
            + (f", from {self.start} UTC." if self.start else "."),
            f"# Error of the reduction: {self._errors()}.",
            *(f"# {note}" for note in self.notes),
        ]
        text = yaml.safe_dump(
            self.workload_fields(), sort_keys=False, default_flow_style=None, width=100, allow_unicode=True
        )
        return "\n".join([*lines, text])


def _digits(value: float) -> float:
    """Return a number to four significant digits."""
    return float(f"{value:.4g}")


def summarize(trace: Trace) -> TrafficSummary:
    """Return a trace reduced to what a workload needs.

    Example:
        >>> arrivals = np.arange(0.0, 3600.0, 0.1)
        >>> found = summarize(Trace("even.csv", "generic", arrivals, None, None))
        >>> round(found.mean_requests_per_s, 2), found.arrival_cv < 1e-3, round(found.load_duration_error_ratio, 3)
        (10.0, True, 0.0)
    """
    found, shape = reduction.windows(trace), reduction.shape_of(trace)
    trend = reduction.growth(trace.arrival_s)
    growing = trend if trend is not None and trend.is_significant else None
    weight = reduction.detrended(found, growing) if growing else None
    rates: tuple[float, ...] | RateQuantiles
    if shape == "quantiles":
        rates = reduction.quantiles(found)
    else:
        rates = reduction.profile(found, 168 if shape == "week" else 24, weight=weight)
    periods = reduction.periods_of(rates)
    level = found if weight is None else _scaled(found, weight)
    peak = float(level.requests_per_s.max())
    return TrafficSummary(
        source=trace.source,
        layout=trace.layout,
        requests=len(trace),
        failed=trace.failed,
        start=_start(trace),
        duration_s=trace.duration_s,
        window_s=found.width_s,
        mean_requests_per_s=len(trace) / trace.duration_s,
        peak_requests_per_s=peak,
        requests_per_s=rates,
        periods=periods,
        curve=_curve(trace),
        load_duration_error_ratio=reduction.load_duration_error(level, periods),
        replica_hours_error_ratio=reduction.replica_hours_error(level, periods),
        peak_error_ratio=max(rate for rate, _ in periods) / peak - 1.0,
        growth_per_month_ratio=None if trend is None else growing.per_month_ratio if growing else 0.0,
        growth_standard_error_ratio=None if trend is None else trend.standard_error_ratio,
        notes=_notes(trace, shape, growing),
        **_variability(trace),
    )


def _scaled(found: reduction.Windows, weight: Floats) -> reduction.Windows:
    return reduction.Windows(found.requests_per_s * weight, found.covered_s, found.hour, found.width_s)


def _variability(trace: Trace) -> dict[str, Any]:
    arrival_s, inputs, outputs = trace.arrival_s, trace.input_tokens, trace.output_tokens
    indices = {
        scale: burstiness.dispersion(arrival_s, scale, within_s=reduction.HOUR_S)
        for scale in burstiness.TIME_SCALES_S
    }
    surges = {lag: burstiness.surge(arrival_s, lag) for lag in LAGS_S}
    between = burstiness.interarrival_cv(arrival_s)
    bursts = burstiness.dispersion(arrival_s, BURST_S, within_s=reduction.FINE_WINDOW_S)
    return {
        "interarrival_cv": between,
        "arrival_cv": max(between, (bursts or 0.0) ** 0.5),
        "dispersion": tuple(
            Dispersion(window_s=scale, index=index) for scale, index in indices.items() if index is not None
        ),
        "surges": tuple(Surge(lag_s=lag, ratio=ratio) for lag, ratio in surges.items() if ratio is not None),
        "input_tokens": None if inputs is None else Lengths.of(inputs),
        "output_tokens": None if outputs is None else Lengths.of(outputs),
        "length_correlation": _correlation(inputs, outputs),
        "prefix_share_ratio": trace.prefix_share_ratio,
    }


def _correlation(inputs: Floats | None, outputs: Floats | None) -> float | None:
    if inputs is None or outputs is None:
        return None
    logs = np.log1p(inputs), np.log1p(outputs)
    if logs[0].std() < 1e-12 or logs[1].std() < 1e-12:
        return None
    return float(np.corrcoef(*logs)[0, 1])


def _start(trace: Trace) -> str | None:
    if trace.start_posix_s is None:
        return None
    return datetime.fromtimestamp(trace.start_posix_s, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _curve(trace: Trace, parts: int = 72) -> tuple[float, ...]:
    number = np.minimum((trace.arrival_s / trace.duration_s * parts).astype(np.int64), parts - 1)
    counts = np.bincount(number, minlength=parts)
    return tuple((counts * parts / trace.duration_s).tolist())


def _notes(trace: Trace, shape: reduction.Shape, growing: reduction.Growth | None) -> tuple[str, ...]:
    notes = []
    if shape == "quantiles":
        notes.append(
            "The trace is shorter than a day: its rates stand for the whole month, without a rhythm of the day."
        )
    elif trace.start_posix_s is None:
        notes.append("The trace has no dates: its start is taken for Monday 0:00.")
    if trace.failed:
        share = trace.failed / (trace.failed + len(trace))
        notes.append(f"{trace.failed:,} requests ({share:.1%}) without an answer are left out as failed.")
    if float((np.diff(trace.arrival_s) == 0.0).mean()) > 0.2:
        notes.append("Many requests share a moment: times may be rounded, and the burstiness too high.")
    if growing:
        notes.append(f"Rates are those of the end of the trace, with {growing.per_month_ratio:+.1%} a month.")
        if growing.per_month_ratio < 0.0:
            notes.append("The traffic shrinks; that is left out of the workload, which looks at growth only.")
    return tuple(notes)


def traffic_from_trace(path: str | Path, *, where: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the fields of a workload's `traffic` for a trace file: rates, burstiness and growth.

    Args:
        path: See `read_trace`.
        where: Keep only the rows that have this value in this column.

    Raises:
        InputError: The trace cannot be read.
    """
    fields: dict[str, Any] = summarize(read_trace(path, where=where)).workload_fields()["traffic"]
    return fields
