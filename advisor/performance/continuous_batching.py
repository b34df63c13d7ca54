"""Latency of a language model under an arrival rate: one replica with continuous batching, in closed form.

The engine repeats steps. A step decodes every running sequence and prefills the prompts that arrived during the step
before. Running sequences share the engine, so the number in flight follows the processor-sharing queue with
state-dependent speed, whose stationary law does not depend on the distribution of the lengths; burstiness enters as an
index of dispersion. A new request waits for the end of the running step, then for its own step together with the other
prompts in it (a gated queue), and before that for admission when `max_sequences` are in flight.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from advisor.performance.continuous_moments import (
    admission,
    busy_share,
    end_to_end_moments,
    first_token_moments,
    prefill_queue,
    step_wait,
    tpot_moments,
)
from advisor.performance.continuous_state import ContinuousBatching, Load, StepCurve, settle
from advisor.performance.latency_shapes import (
    Moments,
    gamma_statistics,
    lognormal_statistics,
    seen_by_some,
    two_part_statistics,
)
from advisor.performance.queueing import (
    Array,
    Latency,
    StatisticFunction,
    Values,
    Wait,
    highest_rate,
    rows_of,
)

__all__ = [
    "ContinuousBatching",
    "ServingLatency",
    "StepCurve",
    "capacity_requests_per_s",
    "continuous_batching",
]

_SHORT_RUN_HALVINGS = 14


@dataclasses.dataclass(frozen=True, slots=True)
class ServingLatency:
    """Latency under load; each field has one entry for each candidate."""

    ttft: Latency
    """Time to first token."""
    tpot: Latency
    """Time per output token after the first."""
    e2e: Latency
    """Time to the last token."""
    in_flight: Array
    """Mean requests in the replica, waiting ones included (Little's law); infinity where not stable."""
    utilization: Array
    """Arrival rate over the highest rate the replica sustains, dimensionless."""
    stable: npt.NDArray[np.bool_]
    """Whether the queue stays bounded; latencies are infinite where it does not."""


def continuous_batching(
    replica: ContinuousBatching, *, requests_per_s: Values, arrival_cv: Values = 1.0
) -> ServingLatency:
    r"""Return mean and percentiles of TTFT, TPOT and end-to-end latency of one replica under an arrival rate.

    With a step of $a + c B$ seconds, $n$ output tokens, prefill load $\lambda P$ and index of dispersion
    $I = 1 + (c_a^2 - 1) E[\min(n_1, n_2)] / E[n]$, a request decodes among
    $$x = \frac{I (1 - \lambda P) + \lambda n a}{1 - \lambda P - \lambda n c}, \qquad
    TPOT = \frac{a + c x}{1 - \lambda P}, \qquad
    Var B = I (x - I) \frac{a + c x}{a}$$

    Args:
        replica: Engine, prompts and answers.
        requests_per_s: Arrival rate at this replica; at least 0.
        arrival_cv: Coefficient of variation of the times between arrivals: 1 for Poisson, 0 for evenly paced,
            above 1 for bursts.

    Returns:
        Latencies in seconds; infinite where the replica cannot keep up.

    Assumes: stationary load; first come, first served; every prompt is prefilled in the step after its arrival.

    Source: Kleinrock 1976 (processor sharing); Whitt 1992 (index of dispersion); Kingman 1962 and Sakasegawa 1977 (waits).

    Example:
        >>> step = StepCurve.affine(base_s=0.01, per_sequence_s=0.0001)
        >>> load = continuous_batching(ContinuousBatching(step, 0.0, 200.0), requests_per_s=10.0)
        >>> round(float(load.tpot.mean_s), 6)  # x = (1 + 20) / (1 - 0.2) = 26.25, 0.01 + 0.0001 x 26.25
        0.012625
        >>> bool(continuous_batching(ContinuousBatching(step, 0.02, 200.0), requests_per_s=30.0).stable)
        False
    """
    rate = np.asarray(requests_per_s, dtype=float)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        load = settle(replica, rate, arrival_cv)
        statistics, stable = _statistics(replica, load)
        ttft, tpot, e2e = (Latency.of(statistics[metric]).where(stable) for metric in ("ttft", "tpot", "e2e"))
        in_flight = np.where(rate > 0.0, rate * e2e.mean_s, 0.0)
    return ServingLatency(ttft, tpot, e2e, in_flight, load.utilization, stable)


def _statistics(
    replica: ContinuousBatching, load: Load
) -> tuple[dict[str, StatisticFunction], npt.NDArray[np.bool_]]:
    """Return the latencies by metric, and whether they hold."""
    queue, chunks = prefill_queue(replica, load)
    entry = admission(replica, load)
    waiting = np.maximum(queue.probability, entry.probability)
    wait = Wait(waiting, (queue.mean_s + entry.mean_s) / np.maximum(waiting, 1e-12))
    shared, interrupted = tpot_moments(replica, load)
    regulated = 1.0 / np.maximum(load.lifetime_dispersion, 1.0)
    fullest = Moments(load.full_cycle_s, regulated * interrupted.variance, regulated * interrupted.third)
    tpot = gamma_statistics(shared + interrupted, floor=load.step_s)
    most = gamma_statistics(fullest, floor=load.step_s)
    own, share = first_token_moments(replica, load, chunks), busy_share(load)
    aligned = own + step_wait(replica, load)
    floor = replica.first_token_s + chunks * load.step_s
    total = end_to_end_moments(replica, seen_by_some(share, aligned, own), shared + interrupted)
    stable = np.asarray(
        (load.utilization < 1.0) & (load.rate * load.stall_s < 1.0) & np.isfinite(queue.conditional_mean_s)
    )
    return {
        "ttft": two_part_statistics(share, aligned, own, floor=floor, wait=wait),
        "tpot": lambda statistic: np.minimum(tpot(statistic), most(statistic)),
        "e2e": lognormal_statistics(total, wait=wait),
    }, stable


def capacity_requests_per_s(
    replica: ContinuousBatching,
    *,
    limits: Mapping[tuple[str, str], Values],
    arrival_cv: Values = 1.0,
    iterations: int = 13,
) -> Array:
    """Return the highest arrival rate at which every latency limit still holds, in requests per second.

    Args:
        replica: Engine, prompts and answers; arrays of one dimension, one entry for each candidate.
        limits: Largest value allowed, in seconds, for each (metric, statistic): metric 'ttft', 'tpot' or 'e2e',
            statistic 'mean', 'p50', 'p90', 'p95' or 'p99'.
        arrival_cv: Coefficient of variation of the times between arrivals.
        iterations: Halvings of the search; 13 find the rate to 1.2e-4 of the highest stable one.

    Returns:
        0 where no rate meets the limits.

    Example:
        >>> replica = ContinuousBatching(StepCurve.affine(base_s=0.01, per_sequence_s=0.0001), 0.0, 200.0)
        >>> rate = capacity_requests_per_s(replica, limits={("tpot", "mean"): 0.012626})
        >>> round(float(rate), 1)  # the example of `continuous_batching`
        10.0
    """
    stall_s = replica.prefill_s if replica.prefill_stall_s is None else replica.prefill_stall_s
    most = np.minimum(replica.max_sequences, 1e6)
    ceiling = 1.0 / (replica.output_tokens * replica.step.at(most) / most + stall_s)

    flat = np.atleast_1d(np.asarray(ceiling, dtype=float))

    def meets(rate: Array, rows: slice) -> npt.NDArray[np.bool_]:
        part = rows_of((replica, arrival_cv, tuple(limits.values())), rows, flat.size)
        load = settle(part[0], rate, part[1])
        statistics, met = _statistics(part[0], load)
        for (metric, statistic), limit_s in zip(limits, part[2], strict=True):
            met = met & (statistics[metric](statistic) <= limit_s)
        return met

    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        found = highest_rate(meets, ceiling_requests_per_s=flat, iterations=iterations)
    return found.reshape(np.shape(ceiling))


def rate_of_a_short_run(
    replica: ContinuousBatching, *, requests_per_s: Values, requests: Values, arrival_cv: Values = 1.0
) -> Array:
    r"""Return the steady rate that keeps as many sequences in flight as a run of so few requests does on average.

    A run of $N$ requests at rate $\lambda$ fills the replica during one residence time $L$ and empties it during
    another. With $x = \lambda L / N$, a request sees $1 - x / 3$ of the steady sequences, or $(1 - 1 / (3 x)) / x$ where
    the run is shorter than a residence. $L$ is the residence at the rate returned, not at $\lambda$: what makes a
    steady queue long has no time to build up. So a higher rate never looks like less. Benchmarks of 200 requests are
    such runs.

    Args:
        replica: Engine, prompts and answers.
        requests_per_s: Arrival rate while the run lasts.
        requests: Requests of the run, count; infinity for a steady load.
        arrival_cv: Coefficient of variation of the times between arrivals.

    Example:
        >>> replica = ContinuousBatching(StepCurve.affine(base_s=0.01, per_sequence_s=0.0), 0.0, 101.0)  # 1 s each
        >>> round(float(rate_of_a_short_run(replica, requests_per_s=10.0, requests=100.0)), 2)  # x = 0.1
        9.66
    """
    rate, count = np.asarray(requests_per_s, dtype=float), np.asarray(requests, dtype=float)
    if not np.isfinite(count).any():
        return rate

    def seen(steady: Array) -> Array:
        seconds = continuous_batching(replica, requests_per_s=steady, arrival_cv=arrival_cv).e2e.mean_s
        endless = np.where(np.isfinite(count), np.inf, 0.0)
        filled = np.where(np.isfinite(seconds), rate * seconds / count, endless)
        longer = 1.0 / np.maximum(filled, 1.0)
        return np.asarray(rate * np.where(filled < 1.0, 1.0 - filled / 3.0, longer * (1.0 - longer / 3.0)))

    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        low, high = seen(rate), rate
        for _ in range(_SHORT_RUN_HALVINGS):
            middle = 0.5 * (low + high)
            more = seen(middle) > middle
            low, high = np.where(more, middle, low), np.where(more, high, middle)
    return np.asarray(np.where(np.isfinite(count), 0.5 * (low + high), rate))
