"""A mix evaluated once more: its parts are the whole, and each keeps what it must."""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING

import numpy as np

from advisor.explanation import latencies
from advisor.mixing.accuracy import loss_of
from advisor.mixing.latency import keeps_latency, whole_latency_s
from advisor.sizes import Sizes
from advisor.verification import TOLERANCE, EvaluationDisagreement, verify

if TYPE_CHECKING:
    from advisor.mixing.parts import Mixed, Part
    from advisor.preparation import Prepared


def verify_mix(one: Prepared) -> None:
    """Evaluate every part of the mix of a service once more, and see that the parts are the whole and that limits hold.

    Raises:
        EvaluationDisagreement: A figure differs by more than `TOLERANCE`, relatively.
    """
    mixed = one.mixed
    assert mixed is not None  # noqa: S101 - it was chosen
    for each in mixed.parts:
        verify(each.service.evaluation, each.service.plans, 0, each.service.terms, one.strategies)
        _keeps_limits(each)
    whole = one.terms.loss_ratio.get(None)
    if whole is not None and one.terms.confidence is None:
        lost = loss_of(mixed).expected_ratio
        if lost > whole + TOLERANCE:
            raise EvaluationDisagreement.on("the accuracy loss", whole, lost)
    if not keeps_latency(mixed, one.terms):
        name, limit = min(one.terms.latency_s.items())
        raise EvaluationDisagreement.on(name, limit, whole_latency_s(mixed)[name])
    for what, (first, second) in (_staged(one, mixed) if mixed.handing else _cut(one, mixed)).items():
        if abs(first - second) > TOLERANCE * max(1.0, abs(first)):
            raise EvaluationDisagreement.on(what, first, second)


def _cut(one: Prepared, mixed: Mixed) -> dict[str, tuple[float, float]]:
    """Return figures of the whole beside those of the parts together, where the size decides."""
    sizes = Sizes.of(one.evaluation.workload)
    mean = fsum(each.share * sizes.within(each.spans).mean for each in mixed.parts)
    rate = sum(each.service.evaluation.periods.requests_per_s for each in mixed.parts)
    return {
        "the share of requests": (1.0, fsum(each.share for each in mixed.parts)),
        "the size of a request": (sizes.distribution.mean, mean),
        "the peak rate": (one.evaluation.periods.peak_requests_per_s, float(np.max(rate))),
    }


def _staged(one: Prepared, mixed: Mixed) -> dict[str, tuple[float, float]]:
    """Return figures of the whole beside those of the parts, where one model hands on to another."""
    assert mixed.handing is not None  # noqa: S101 - it is a cascade
    peak, escalated = one.evaluation.periods.peak_requests_per_s, mixed.handing.escalated_ratio
    seen = 1.0 - escalated if mixed.handing.option.deltas.routed_ahead else 1.0
    first, second = (each.service.evaluation.periods.peak_requests_per_s for each in mixed.parts)
    return {
        "the share of requests": (1.0, fsum(each.share for each in mixed.parts)),
        "the peak rate of the small model": (seen * peak, first),
        "the peak rate of the main model": (escalated * peak, second),
    }


def _keeps_limits(each: Part) -> None:
    confidence = each.service.terms.confidence
    if confidence is not None and confidence > 0.5:
        return
    predicted = latencies(each.service.evaluation, each.service.plans, 0)
    for name, limit in each.service.terms.latency_s.items():
        reached = predicted[name][0]
        if reached > limit * (1.0 + TOLERANCE):
            raise EvaluationDisagreement.on(f"{name} of {each.service.name}", limit, reached)
