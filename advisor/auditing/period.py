"""Latencies of a whole period: those of its hours, mixed by how many requests each saw."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from advisor.formulation import load_of_a_replica
from advisor.performance.queueing import Array, Latency, normal_cdf

if TYPE_CHECKING:
    from advisor.evaluation import Evaluation
    from advisor.plans import Plans

_QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
_Z = np.array([NormalDist().inv_cdf(share) for share in _QUANTILES.values()])
_NAMES = {"ttft": "ttft", "tpot": "tpot", "e2e": "latency"}


def period_latencies(evaluation: Evaluation, plans: Plans) -> dict[str, float]:
    """Return mean and percentiles of each latency over all requests of the mean month, in seconds.

    Args:
        evaluation: Of the stored choices under the traffic that came.
        plans: That candidate alone, with its replicas in each period.

    Returns:
        Such as `ttft_p99`; none where the replicas do not keep up in some period.
    """
    weights = evaluation.periods.requests_per_s * evaluation.periods.hours_per_month
    used = np.flatnonzero(weights > 0.0)
    rates, cvs = _loads(evaluation, plans, used)
    serving = evaluation.serving.take(np.repeat(plans.engine, len(used)))
    found = serving.latency(rates, arrival_cv=cvs)
    shares = weights[used] / weights[used].sum()
    statistics: dict[str, float] = {}
    for metric in serving.metrics:
        latency = found[metric]
        if not np.isfinite(latency.p99_s).all():
            return {}
        statistics |= {f"{_NAMES[metric]}_{name}": value for name, value in mixed(latency, shares).items()}
    return statistics


def requests_per_s_of_a_replica(evaluation: Evaluation, plans: Plans) -> float:
    """Return the rate at which the replica of the mean request is asked."""
    weights = evaluation.periods.requests_per_s * evaluation.periods.hours_per_month
    used = np.flatnonzero(weights > 0.0)
    rates, _ = _loads(evaluation, plans, used)
    return float(np.average(rates, weights=weights[used]))


def _loads(evaluation: Evaluation, plans: Plans, used: np.ndarray) -> tuple[Array, Array]:
    loads = [load_of_a_replica(evaluation, plans, int(period)) for period in used]
    rates, cvs = (np.concatenate(column) for column in zip(*loads, strict=True))
    return rates, cvs


def mixed(latency: Latency, shares: Array) -> Mapping[str, float]:
    r"""Return mean and percentiles of a mixture: $\sum_i w_i F_i(x) = q$, with $F_i$ lognormal between its percentiles.

    Args:
        latency: One entry for each hour, in seconds.
        shares: Share $w$ of the requests that each hour saw.
    """
    points = np.log(np.maximum(np.stack([latency[name] for name in _QUANTILES]), 1e-12))
    points = np.maximum.accumulate(points + 1e-9 * np.arange(len(_Z))[:, None], axis=0)
    low, high = float(points.min()) - 8.0, float(points.max()) + 8.0

    def below(log_s: float) -> float:
        return float(np.dot(shares, normal_cdf(_standing(points, log_s))))

    found = {"mean": float(np.dot(shares, latency.mean_s))}
    for name, share in _QUANTILES.items():
        left, right = low, high
        for _ in range(60):
            middle = (left + right) / 2.0
            left, right = (middle, right) if below(middle) < share else (left, middle)
        found[name] = math.exp(right)
    return found


def _standing(points: Array, log_s: float) -> Array:
    """Return how many deviations a latency is above the median of each hour; straight lines between its percentiles."""
    segment = np.clip((points < log_s).sum(axis=0) - 1, 0, len(_Z) - 2)
    hours = np.arange(points.shape[1])
    start, end = points[segment, hours], points[segment + 1, hours]
    return np.asarray(_Z[segment] + (log_s - start) / (end - start) * (_Z[segment + 1] - _Z[segment]))
