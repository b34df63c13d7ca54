"""Every requirement, checked on a stored plan under today's inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from advisor.checking.results import RequirementCheck
from advisor.recommendation import AccuracyLoss, Bill, LatencyCheck
from advisor.switching import Again
from advisor.terms import Terms
from advisor.units import format_bytes, format_ratio, format_seconds, format_usd

ROUNDING = 1e-6
"""A limit that is missed by less than this share is kept."""


def service_checks(one: Again) -> list[RequirementCheck]:
    """Return the requirements on one service: that it can be deployed at all, latencies, accuracy and memory."""
    name, now, terms = one.stored.name, one.now, one.terms
    if now is None or terms is None:
        return [_deployable(one, one.missing)]
    limited = [_latency(name, check, one, terms) for check in now.latencies if check.limit_s]
    unexplained = not one.carries and all(row.kept for row in limited)
    why = "no number of replicas keeps the latency limits together" if unexplained else ""
    rows = [_deployable(one, why), *limited]
    whole = now.accuracy_loss
    losses = {
        "accuracy loss": whole,
        **{f"accuracy loss on {task}": own for task, own in whole.slices.items()},
    }
    rows += [_loss(name, what, loss, terms) for what, loss in losses.items() if loss.limit_ratio is not None]
    if terms.max_memory_bytes is not None:
        used = now.memory_gib_per_replica * 2.0**30
        rows.append(_row(name, "memory of a replica", used, terms.max_memory_bytes, format_bytes))
    return rows


def _deployable(one: Again, why_not: str) -> RequirementCheck:
    return RequirementCheck(
        service=one.stored.name,
        requirement="can be deployed",
        limit=f"on {one.stored.instance_type}",
        reached="no" if why_not else "yes",
        used_ratio=None,
        kept=not why_not,
        why=why_not,
    )


def _latency(name: str, check: LatencyCheck, one: Again, terms: Terms) -> RequirementCheck:
    limit, reached = check.limit_s or 0.0, check.predicted_s
    kept = one.carries or (
        reached is not None and terms.confidence is None and reached <= limit * (1 + ROUNDING)
    )
    sure = f" with {format_ratio(terms.confidence)} confidence" if terms.confidence else ""
    return RequirementCheck(
        service=name,
        requirement=check.metric,
        limit=format_seconds(limit) + sure,
        reached="unbounded" if reached is None else format_seconds(reached),
        used_ratio=None if reached is None else reached / limit,
        kept=kept,
        why="" if kept else "no number of replicas keeps it",
    )


def _loss(name: str, what: str, loss: AccuracyLoss, terms: Terms) -> RequirementCheck:
    limit = loss.limit_ratio or 0.0
    if terms.confidence is None:
        kept, sure = loss.expected_ratio <= limit + 1e-12, ""
    else:
        kept = (loss.probability_kept or 0.0) >= terms.confidence
        sure = f", kept with {format_ratio(loss.probability_kept or 0.0)}, asked {format_ratio(terms.confidence)}"
    return RequirementCheck(
        service=name,
        requirement=what,
        limit=format_ratio(limit),
        reached=format_ratio(loss.expected_ratio) + sure,
        used_ratio=loss.expected_ratio / limit if limit else None,
        kept=kept,
        why="" if kept else f"today's evidence says more ({loss.basis})",
    )


def shared_checks(found: Sequence[Again], bill: Bill | None, terms: Terms) -> list[RequirementCheck]:
    """Return the requirements on all services together: budgets, carbon and quotas.

    Args:
        found: Every service.
        bill: Of all of them; `None` where one cannot be deployed.
        terms: Totals and quotas.
    """
    rows = []
    if bill is not None:
        reached = {
            "cost": ("cost budget a month", bill.cost_usd_per_month),
            "one-time": ("one-time budget", bill.one_time_usd),
            "carbon": ("carbon a month", bill.carbon_kg_per_month),
        }
        for key, bound in terms.totals.items():
            what, amount = reached[key]
            rows.append(_row("", what, amount, bound, _kg if key == "carbon" else format_usd))
    for machine, most in terms.quotas.items():
        used = _machines(found, machine)
        rows.append(_row("", f"quota of {machine}", used, most, lambda count: f"{count:g} machines"))
    return rows


def _machines(found: Sequence[Again], machine: str) -> int:
    """Return the most machines of a type at one time."""
    counts = [
        one.plans.instances[0]
        for one in found
        if one.plans is not None
        and machine
        in (one.stored.instance_type, f"{one.stored.provider}/{one.stored.region}/{one.stored.instance_type}")
    ]
    return int(np.sum(counts, axis=0).max()) if counts else 0


def _kg(amount: float) -> str:
    return f"{amount:,.0f} kg"


def _row(
    service: str, what: str, reached: float, limit: float, text: Callable[[float], str]
) -> RequirementCheck:
    kept = reached <= limit * (1.0 + ROUNDING)
    return RequirementCheck(
        service=service,
        requirement=what,
        limit=text(limit),
        reached=text(reached),
        used_ratio=reached / limit if limit else None,
        kept=kept,
        why="" if kept else "more than allowed",
    )
