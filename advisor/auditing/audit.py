"""Replays a period against a stored plan: its choices under the traffic that came, beside bill and latencies."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from advisor import __version__
from advisor.auditing.benchmark import benchmark_of
from advisor.auditing.measured import measured_latencies
from advisor.auditing.period import period_latencies
from advisor.auditing.results import Audit, AuditFile, AuditLine
from advisor.billing.sums import HOURS_PER_MONTH
from advisor.calibration import Calibration
from advisor.catalog import Catalog
from advisor.errors import InputError, UnknownName
from advisor.latency import LATENCY_KEYS
from advisor.registry import installed_strategies
from advisor.requirements import Requirements
from advisor.stored import load_plan, served
from advisor.switching.again import Again, evaluated_again
from advisor.traces import read_trace, summarize
from advisor.workload import Workload

if TYPE_CHECKING:
    from advisor.billing import FocusBill
    from advisor.recommendation import Recommendation, ServicePlan
    from advisor.strategy import Strategy
    from advisor.traces import TrafficSummary

_LINES = {"storage": "storage", "network": "network", "other": "other", "tax": "tax", "credits": "credits"}


@dataclass(frozen=True, slots=True)
class _Side:
    """What the plan comes to under one traffic."""

    again: Again
    latencies_s: Mapping[str, float]
    machine_hours_per_month: float | None
    machines_usd_per_month: float | None


def audit(
    plan: Recommendation | str | Path,
    trace: str | Path,
    *,
    service: str = "",
    where: Mapping[str, str] | None = None,
    bill: FocusBill | None = None,
    bill_file: str | Path | None = None,
    measured: str | Path | None = None,
    catalog: Catalog | None = None,
    calibration: Calibration | str | Path | None = None,
    strategies: Sequence[Strategy] | None = None,
) -> Audit:
    """Return what a plan predicted for a period, and what happened.

    The plan's choices are evaluated again, exactly those, under the rates, burstiness and lengths of the trace: that is
    what it would have predicted, had it known the traffic. A static plan keeps its machines; others follow the traffic.

    Args:
        plan: A stored plan, or its file.
        trace: Requests of the period, see `advisor.traces.read_trace`.
        service: Which one of the plan, where it has several.
        where: Rows of the trace to keep, by column.
        bill: What was paid for the service, see `advisor.billing`.
        bill_file: The file of it, for the record.
        measured: File with latencies of the period, see `measured_latencies`.
        catalog: Machines and prices; the embedded ones by default.
        calibration: Own benchmarks that predictions rest on.
        strategies: Strategies of the plan; the installed ones by default.

    Raises:
        InputError: A file cannot be read, or the plan cannot be evaluated any more.
    """
    stored = load_plan(plan)
    own, workload = _service(stored, service)
    summary = summarize(read_trace(trace, where=where))
    came = _under(workload, summary)
    installed = tuple(strategies if strategies is not None else installed_strategies())
    offers = catalog or Catalog.load()
    learnt = None if calibration is None else Calibration.load(calibration)
    sides = [_side(own, each, offers, installed, learnt) for each in (workload, came)]
    seen = {} if measured is None else measured_latencies(measured)
    files = [_file(trace, f"trace of {summary.requests:,} requests")]
    if bill is not None and bill_file is not None:
        files.append(_file(bill_file, f"bill of {bill.hours:,.0f} hours, {bill.basis} costs"))
    if measured is not None:
        files.append(_file(measured, "measured latencies"))
    return Audit(
        advisor_version=__version__,
        service=own.name,
        plan_digest=_digest(stored, own),
        start=summary.start,
        hours=summary.duration_s / 3600.0,
        requests=summary.requests,
        files=tuple(files),
        lines=(
            *_traffic(workload, came),
            *_cost(own, sides[1], bill),
            *_latency(sides, seen),
        ),
        benchmark=benchmark_of(own, came, sides[1].again, sides[1].latencies_s, seen)
        if learnt is None
        else None,
        notes=tuple(_notes(sides, summary, bill, learnt)),
    )


def _service(stored: Recommendation, name: str) -> tuple[ServicePlan, Workload]:
    pairs = {plan.name: (plan, workload) for plan, workload in served(stored)}
    if not name and len(pairs) > 1:
        raise InputError(
            f"the plan has {len(pairs)} services ({', '.join(sorted(pairs))}); say which one with --service"
        )
    if name and name not in pairs:
        raise UnknownName.among("service", name, pairs, "is in the plan")
    return pairs[name or next(iter(pairs))]


def _under(workload: Workload, summary: TrafficSummary) -> Workload:
    """Return the workload with the traffic that came, and nothing expected to grow."""
    fields = workload.model_dump(mode="json", exclude_unset=True)
    seen = summary.workload_fields()
    seen["traffic"].pop("growth_per_month", None)
    requests = {**fields.get("requests", {}), **seen.get("requests", {})}
    lengths = {
        name: value
        for name, value in requests.items()
        if workload.model.family != "cnn" or "tokens" not in name
    }
    return Workload.load({**fields, "requests": lengths, "traffic": seen["traffic"]})


def _side(
    own: ServicePlan,
    workload: Workload,
    catalog: Catalog,
    strategies: Sequence[Strategy],
    calibration: Calibration | None,
) -> _Side:
    again = evaluated_again(
        own, workload, Requirements(), catalog, strategies, alone=True, calibration=calibration
    )
    if again.prepared is None or again.plans is None or again.now is None:
        raise InputError(f"the plan of '{own.name}' cannot be evaluated for this traffic: {again.missing}")
    plans, purchases = again.plans, again.now.purchases
    if own.scaling == "static":
        plans = replace(
            plans,
            replicas=np.full_like(plans.replicas, own.replicas_peak),
            instances=np.full_like(plans.instances, own.instances_peak),
        )
        again, purchases = replace(again, plans=plans), own.purchases
    return _Side(
        again,
        period_latencies(again.prepared.evaluation, plans),  # type: ignore[union-attr]
        sum(line.instance_hours_per_month for line in purchases),
        sum(line.cost_usd_per_month for line in purchases),
    )


def _traffic(planned: Workload, came: Workload) -> Iterator[AuditLine]:
    pairs = {
        ("traffic, mean", "requests/s"): [one.traffic.mean_requests_per_s for one in (planned, came)],
        ("traffic, busiest hours", "requests/s"): [
            one.traffic.peak_requests_per_s for one in (planned, came)
        ],
    }
    if planned.model.family != "cnn":
        pairs["prompt", "tokens"] = [one.requests.input_tokens.mean for one in (planned, came)]
    if planned.model.family == "decoder":
        pairs["answer", "tokens"] = [one.requests.output_tokens.mean for one in (planned, came)]
    for (what, unit), (expected, seen) in pairs.items():
        yield AuditLine(topic="traffic", what=what, unit=unit, planned=expected, predicted=None, actual=seen)


def _cost(own: ServicePlan, came: _Side, bill: FocusBill | None) -> Iterator[AuditLine]:
    """Yield machine hours and money of a month of 730 hours, whatever the period's length."""
    planned_hours = sum(line.instance_hours_per_month for line in own.purchases)
    planned_usd = sum(line.cost_usd_per_month for line in own.purchases)
    scale = HOURS_PER_MONTH / bill.hours if bill and bill.hours else 0.0
    hours = scale * sum(use.hours for use in bill.instances()) if bill else 0.0
    yield AuditLine(
        topic="cost",
        what="machine hours",
        unit="h/month",
        planned=planned_hours,
        predicted=came.machine_hours_per_month,
        actual=hours or None,
    )
    billed = {line.name: scale * line.usd for line in bill.lines()} if bill else {}
    yield AuditLine(
        topic="cost",
        what="machines",
        unit="USD/month",
        planned=planned_usd,
        predicted=came.machines_usd_per_month,
        actual=sum(usd for name, usd in billed.items() if name.startswith("compute")) if bill else None,
    )
    for name, words in _LINES.items():
        if name in billed:
            yield AuditLine(
                topic="cost", what=words, unit="USD/month", planned=None, predicted=None, actual=billed[name]
            )


def _latency(sides: Sequence[_Side], seen: Mapping[str, float]) -> Iterator[AuditLine]:
    """Yield latencies over all requests of the period; without measured ones the medians and 99th percentiles."""
    planned, came = (side.latencies_s for side in sides)
    names = [name for name in LATENCY_KEYS if name in came or name in seen]
    for name in names:
        if name in seen or (not seen and name.endswith(("_p50", "_p99"))):
            yield AuditLine(
                topic="latency",
                what=name,
                unit="s",
                planned=planned.get(name),
                predicted=came.get(name),
                actual=seen.get(name),
            )


def _notes(
    sides: Sequence[_Side],
    summary: TrafficSummary,
    bill: FocusBill | None,
    calibration: Calibration | None,
) -> Iterator[str]:
    yield from summary.notes
    if not sides[1].latencies_s:
        yield "The plan's replicas are predicted not to keep up with the traffic that came, so no latency is predicted."
    if bill is not None:
        yield from bill.notes
        if bill.hours and abs(bill.hours / (summary.duration_s / 3600.0) - 1.0) > 0.1:
            yield (
                f"The bill covers {bill.hours:,.0f} hours and the trace {summary.duration_s / 3600.0:,.0f}: "
                "both are shown for a month of 730 hours."
            )
    if calibration is not None:
        yield "Predicted with a calibration of your own, so this audit feeds no further calibration."


def _digest(stored: Recommendation, own: ServicePlan) -> str:
    chosen = [f"{choice.strategy}={choice.option}" for choice in own.choices]
    asked = stored.inputs.model_dump(mode="json") if stored.inputs else {}
    text = json.dumps([own.name, own.instance_type, sorted(chosen), asked], sort_keys=True)
    return sha256(text.encode()).hexdigest()


def _file(path: str | Path, words: str) -> AuditFile:
    path, digest = Path(path), sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return AuditFile(file=path.name, sha256=digest.hexdigest(), words=words)
