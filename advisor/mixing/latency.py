"""Latency of a cascade over all requests, where those that are handed on take the time of both models."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from advisor.formulation import load_of_a_replica
from advisor.latency import metric_and_statistic
from advisor.performance.consecutive import consecutive
from advisor.performance.queueing import STATISTICS, Latency

if TYPE_CHECKING:
    from advisor.mixing.parts import Mixed, Part
    from advisor.terms import Terms


def takes_both(mixed: Mixed) -> bool:
    """Return whether some requests take the time of both models."""
    return mixed.handing is not None and not mixed.handing.option.deltas.routed_ahead


def whole_latency_s(mixed: Mixed, *, confidence: float | None = None) -> dict[str, float]:
    """Return each statistic of the whole request in its slowest period, in seconds, by name such as `latency_p99`.

    Args:
        mixed: A cascade in which requests take the time of both models.
        confidence: Probability with which both models are no slower than predicted; as predicted if not given.
    """
    assert mixed.handing is not None  # noqa: S101 - it is a cascade
    first, second = (_by_period(part, confidence) for part in mixed.parts)
    whole = consecutive(first, second, share=mixed.handing.escalated_ratio)
    return {f"latency_{statistic}": float(whole[statistic].max()) for statistic in STATISTICS}


def keeps_latency(mixed: Mixed, terms: Terms) -> bool:
    """Return whether all requests together keep every limit; where none takes both models, each pool keeps it by itself."""
    if not takes_both(mixed):
        return True
    reached = whole_latency_s(mixed, confidence=terms.confidence)
    return all(reached[name] <= limit for name, limit in terms.latency_s.items())


def _by_period(part: Part, confidence: float | None) -> Latency:
    evaluation, plans = part.service.evaluation, part.service.plans
    used = np.flatnonzero(evaluation.periods.requests_per_s > 0.0)
    loads = [load_of_a_replica(evaluation, plans, int(period)) for period in used]
    serving = evaluation.serving.take(np.repeat(plans.engine, len(used)))
    rates, cvs = (np.concatenate(column) for column in zip(*loads, strict=True))
    found = serving.latency(rates, arrival_cv=cvs)["e2e"]
    z = 0.0 if confidence is None else NormalDist().inv_cdf(confidence)
    sigma = serving.replica.log_sigma
    return Latency.of(lambda name: found[name] * np.exp(z * sigma[metric_and_statistic(f"latency_{name}")]))
