"""Latency of one-pass models under load: instances that take whole batches from one queue, in closed form.

A request that finds an idle instance starts a batch (after the queue delay, if one is set); one that finds all busy
waits for the next instance to come free and is served together with all that queued in between, up to `max_batch`.
Open loop: requests arrive at a rate. Closed loop: a fixed number of clients, each with one request at a time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from advisor.performance.latency_shapes import Moments, two_part_statistics
from advisor.performance.queueing import (
    Array,
    Latency,
    StatisticFunction,
    Values,
    Wait,
    highest_rate,
    point_memory,
    rows_of,
    windowed_memory,
)

__all__ = ["DynamicBatching", "PassLatency", "capacity_requests_per_s", "dynamic_batching"]


@dataclasses.dataclass(frozen=True, slots=True)
class DynamicBatching:
    """One replica; every field is one value or an array with one entry for each candidate."""

    batch_base_s: Values
    """Time of a batch beyond its items, in seconds: $a$ in $a + c b$."""
    batch_per_item_s: Values
    """Time that each item adds to a batch, in seconds: $c$."""
    max_batch: Values = 1.0
    """Items in a batch at most; 1 switches batching off."""
    max_queue_delay_s: Values = 0.0
    """Time a request may wait for others to fill its batch, in seconds; 0 batches only what queued anyway."""
    instances: Values = 1.0
    """Copies of the model that serve batches at the same time; the batch times are those with all of them busy."""
    overhead_s: Values = 0.0
    """Time of a request outside the queue and the model: network, copies, in seconds."""
    batch_cv: Values = 0.0
    """Coefficient of variation of the time of one batch, dimensionless."""


@dataclasses.dataclass(frozen=True, slots=True)
class PassLatency:
    """Latency under load; each field has one entry for each candidate."""

    latency: Latency
    mean_batch: Array
    """Mean items in a batch, count."""
    utilization: Array
    """Arrival rate over the highest rate the replica sustains (with full batches), dimensionless."""
    stable: npt.NDArray[np.bool_]
    """Whether the queue stays bounded; latencies are infinite where it does not."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Cycle:
    """Where the batches settle."""

    rate: Array
    excess: Values  # squared arrival cv - 1
    arrival_cv: Values
    service_s: Array
    mean_batch: Array
    window: Array  # arrivals between two completions, at the mean rate
    clumped: Array  # the same as a burst sees it
    gather_s: Array  # time an idle instance waits for more
    joining: Array  # requests that arrive meanwhile
    topped_up_s: Array  # time a freed instance waits for more
    alone: Array  # share of requests whose batch starts on an idle instance


def _gather_s(server: DynamicBatching, rate: Values) -> Array:
    """Return the mean time from a first request to the start of its batch on an idle instance."""
    filling = np.maximum(server.max_batch - 1.0, 0.0) / rate
    delay = np.asarray(server.max_queue_delay_s, dtype=float)
    return np.asarray(delay * filling / np.maximum((delay**4 + filling**4) ** 0.25, 1e-30))


def _settle(server: DynamicBatching, rate: Array, arrival_cv: Values) -> _Cycle:
    base, slope, instances = server.batch_base_s, server.batch_per_item_s, server.instances
    excess = np.square(arrival_cv) - 1.0
    exponent = np.sqrt(2.0 * (instances + 1.0)) - 1.0
    gather_s = _gather_s(server, rate)
    joining = rate * gather_s
    joining = joining + np.maximum(0.5 * excess * point_memory(joining, arrival_cv=arrival_cv), -joining)
    batch = np.clip(rate * base / np.maximum(instances - rate * slope, 1e-9) + joining, 1.0, server.max_batch)
    for _ in range(4):
        service_s = base + slope * batch
        window = rate * service_s / instances
        fading = np.where(excess < 0.0, 0.6 * window**4, 0.6 * window)
        burst = excess * point_memory(window, arrival_cv=arrival_cv) / (2.0 + fading)
        clumped = np.maximum(window + burst, 0.05 * window)
        empty = np.exp(-clumped)
        first_s = np.minimum(1.0 / rate, 0.5 * service_s / instances)
        topped_up_s = np.maximum(gather_s - service_s / instances + first_s, 0.0)
        started = clumped / (1.0 + joining)
        reduced = started - (1.0 - empty) * (1.0 - rate * topped_up_s / (1.0 + joining))
        share = started / np.maximum(1.0 + reduced, 1e-9)
        for _ in range(2):
            powered = share**exponent
            slack = np.maximum(1.0 + exponent * powered / share * reduced, 0.5)
            share = np.clip(share - (share - started + powered * reduced) / slack, 1e-12, 1.0)
        wanted = np.clip(clumped / share, 1.0, server.max_batch)
        batch = batch + (wanted - batch) / np.maximum(1.0 - (rate * slope / instances) * (1.0 - empty), 0.1)
        batch = np.clip(batch, 1.0, server.max_batch)
    busy = share**exponent
    topped = busy * rate / np.maximum(clumped, 1e-12) * (1.0 - empty) * topped_up_s
    alone = np.maximum(1.0 - busy - topped, 0.0)
    return _Cycle(
        rate,
        excess,
        arrival_cv,
        base + slope * batch,
        batch,
        window,
        clumped,
        gather_s,
        joining,
        topped_up_s,
        alone,
    )


def _idle_part(server: DynamicBatching, cycle: _Cycle) -> Moments:
    """Return the cumulants of a request whose batch starts on an idle instance: gathering, then the batch."""
    others = np.minimum(cycle.joining, server.max_batch - 1.0)
    later = others / (1.0 + others)
    gather_s, slope = cycle.gather_s, server.batch_per_item_s
    mean = gather_s * (1.0 - 0.5 * later) + server.batch_base_s + slope * (1.0 + others)
    spread = gather_s * gather_s * (later * (1.0 / 3.0 - 0.25 * later))
    own_s = server.batch_base_s + slope
    return Moments(
        mean, spread + slope * slope * others + np.square(own_s * server.batch_cv), slope**3 * others
    )


def _queued_part(server: DynamicBatching, cycle: _Cycle) -> Moments:
    """Return the cumulants of a request that queued: the rest of a batch, then its own with all that queued beside it.

    The completions of $k$ busy instances cut their batch time into $k$ random spacings; an arrival sees a
    length-biased one, of mean $2 S / (k + 1)$.
    """
    base, slope, instances = server.batch_base_s, server.batch_per_item_s, server.instances
    memory = windowed_memory(cycle.window, arrival_cv=cycle.arrival_cv)
    dispersion = np.maximum(1.0 + cycle.excess * memory, 0.0)
    window, empty = cycle.window, np.exp(-cycle.window)
    spread = window * dispersion + np.maximum(window * window + empty - (window + empty) ** 2, -window)
    spread = np.maximum(spread, 0.0) / np.maximum(
        1.0 - np.square(np.minimum(cycle.rate * slope / instances, 0.99)), 0.02
    )
    room = (server.max_batch - cycle.mean_batch) * (server.max_batch - 1.0) + 1e-12
    relative = slope * slope * np.minimum(spread, room) / np.square(cycle.service_s) + np.square(
        server.batch_cv
    )
    spacing_s = 2.0 * cycle.service_s / (instances + 1.0)
    gap_s = spacing_s * (1.0 + relative) + cycle.topped_up_s
    uneven = 0.5 * (instances - 1.0) / (instances + 2.0)
    gap_variance = np.square(spacing_s) * (relative * (1.0 + relative) + uneven)
    expected = cycle.rate * gap_s
    expected = expected + np.maximum(
        cycle.excess * point_memory(0.5 * expected, arrival_cv=cycle.arrival_cv), -expected
    )
    others = np.minimum(expected, server.max_batch - 1.0)
    reach = 0.5 + slope * others / gap_s
    noise = slope * slope * np.minimum(others * np.maximum(dispersion, 0.1), room)
    own_s = base + slope * (1.0 + others)
    seen = np.square(gap_s) + gap_variance
    variance = reach * reach * gap_variance + seen / 12.0 + noise + np.square(own_s * server.batch_cv)
    third = 2.0 * reach**3 * gap_variance * relative * spacing_s + noise * slope
    return Moments(0.5 * gap_s + own_s, variance, third, -(gap_s**4) / 120.0)


def _overflow(server: DynamicBatching, cycle: _Cycle, utilization: Array) -> Wait:
    """Return the wait of a request that does not fit into the next batch (many servers: places in batches)."""
    full_s = server.batch_base_s + server.batch_per_item_s * server.max_batch
    spare = np.maximum(1.0 - utilization, 1e-9)
    places = server.max_batch * server.instances
    filled = np.minimum(np.minimum(cycle.window, cycle.clumped) / server.max_batch, 1.0)
    burst = np.maximum(cycle.clumped - cycle.window, 0.0) / server.max_batch
    filled = 1.0 - (1.0 - filled) * np.exp(-burst)
    memory = windowed_memory(cycle.rate * full_s / spare, arrival_cv=cycle.arrival_cv)
    dispersion = np.maximum(1.0 + cycle.excess * memory, 0.0)
    noise = 0.5 * (dispersion + np.square(server.batch_cv))
    exponent = np.sqrt(2.0 * (places / np.maximum(dispersion, 1.0) + 1.0))
    return Wait(filled**exponent, noise * full_s / (places * spare))


def _statistics(
    server: DynamicBatching, rate: Array, arrival_cv: Values
) -> tuple[StatisticFunction, _Cycle, Array]:
    full_s = server.batch_base_s + server.batch_per_item_s * server.max_batch
    utilization = np.asarray(rate * full_s / (server.max_batch * server.instances))
    cycle = _settle(server, np.maximum(rate, 1e-9), arrival_cv)
    outside = Moments(server.overhead_s, 0.0)
    queued, alone = _queued_part(server, cycle) + outside, _idle_part(server, cycle) + outside
    floor = server.batch_base_s + server.batch_per_item_s + server.overhead_s
    wait = _overflow(server, cycle, utilization)
    return two_part_statistics(1.0 - cycle.alone, queued, alone, floor=floor, wait=wait), cycle, utilization


def dynamic_batching(
    server: DynamicBatching, *, requests_per_s: Values, arrival_cv: Values = 1.0
) -> PassLatency:
    r"""Return mean and percentiles of the latency of one replica under an arrival rate.

    Args:
        server: Batch times, batching and instances.
        requests_per_s: Arrival rate at this replica; at least 0.
        arrival_cv: Coefficient of variation of the times between arrivals: 1 for Poisson, 0 for evenly paced,
            above 1 for bursts.

    Returns:
        Latencies in seconds; infinite where the replica cannot keep up.

    Assumes: stationary load; first come, first served.

    Source: Inoue 2021, "Queueing analysis of GPU-based inference servers with dynamic batching" (one instance, no
        limit and no delay: mean batch $x + e^{-x}$ with $x = \lambda (a + c b)$); Sakasegawa 1977 for full batches.

    Example:
        >>> server = DynamicBatching(batch_base_s=0.004, batch_per_item_s=0.0005, max_batch=1.0)
        >>> load = dynamic_batching(server, requests_per_s=0.5 / 0.0045)  # M/D/1 at one half: S (1 + 0.5 / (2 x 0.5))
        >>> round(float(load.latency.mean_s) * 1000, 1)
        6.6
    """
    rate = np.asarray(requests_per_s, dtype=float)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        statistic_s, cycle, utilization = _statistics(server, rate, arrival_cv)
        stable = np.asarray(utilization < 1.0)
        latency = Latency.of(statistic_s).where(stable)
    return PassLatency(latency, cycle.mean_batch, utilization, stable)


def capacity_requests_per_s(
    server: DynamicBatching,
    *,
    limits: Mapping[str, Values],
    arrival_cv: Values = 1.0,
    iterations: int = 13,
) -> Array:
    """Return the highest arrival rate at which every latency limit still holds, in requests per second.

    Args:
        server: Batch times, batching and instances.
        limits: Largest latency allowed, in seconds, for each statistic: 'mean', 'p50', 'p90', 'p95' or 'p99'.
        arrival_cv: Coefficient of variation of the times between arrivals.
        iterations: Halvings of the search; 13 find the rate to 1.2e-4 of the highest stable one.

    Returns:
        0 where no rate meets the limits.

    Example:
        >>> server = DynamicBatching(batch_base_s=0.004, batch_per_item_s=0.0005, max_batch=1.0)
        >>> rate = capacity_requests_per_s(server, limits={"mean": 0.00662})
        >>> round(float(rate) * 0.0045, 1)  # the utilization of the example above
        0.5
    """
    full_s = server.batch_base_s + server.batch_per_item_s * server.max_batch
    ceiling = np.asarray(server.max_batch * server.instances / full_s, dtype=float)

    flat = np.atleast_1d(ceiling)

    def meets(rate: Array, rows: slice) -> npt.NDArray[np.bool_]:
        part = rows_of((server, arrival_cv, tuple(limits.values())), rows, flat.size)
        statistic_s, _, utilization = _statistics(part[0], rate, part[1])
        met = np.asarray(utilization < 1.0)
        for statistic, limit_s in zip(limits, part[2], strict=True):
            met = met & (statistic_s(statistic) <= limit_s)
        return met

    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        found = highest_rate(meets, ceiling_requests_per_s=flat, iterations=iterations)
    return found.reshape(np.shape(ceiling))
