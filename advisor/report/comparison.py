"""Today and the plan, line by line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from advisor.recommendation import Bill, Deployment, LatencyCheck, Recommendation
from advisor.report.references import References
from advisor.report.rows import Row
from advisor.report.words import (
    NOT_KNOWN,
    carbon,
    change,
    clean,
    counted,
    crossed,
    duration,
    energy,
    latency_name,
    machines,
    readable_unit,
    share,
)
from advisor.units import format_usd


def comparison(recommendation: Recommendation, refs: References) -> tuple[Row, ...]:
    """Return today and the plan, side by side; today alone where there is no plan."""
    baseline, plan = recommendation.baseline, recommendation.plan
    after = plan.services if plan else ()
    rows = [
        _text_row(
            "Machines, busiest hour",
            baseline.services,
            after,
            lambda d: machines(d.instances_peak, d.instance_type),
        ),
        _text_row("Each machine", baseline.services, after, lambda d: crossed(d.accelerator)),
        _text_row("Replicas, busiest hour", baseline.services, after, _replicas),
        _text_row(
            "Scaling, purchase",
            baseline.services,
            after,
            lambda d: f"{clean(d.scaling)}, {clean(d.purchase)}",
        ),
        *_bill_rows(recommendation, refs),
        *(row for service in after for row in _latency_rows(service, refs, named=len(after) > 1)),
        *(
            row
            for today in (() if plan else baseline.services)
            for row in _latency_rows(today, refs, named=len(baseline.services) > 1, today_only=True)
        ),
        _text_row("Load, busiest hour", baseline.services, after, _used),
    ]
    return tuple(rows)


def _text_row(
    what: str, today: Sequence[Deployment], after: Sequence[Deployment], text: Callable[[Deployment], str]
) -> Row:
    return Row(what, _each(today, text), _each(after, text) or NOT_KNOWN)


def _each(deployments: Sequence[Deployment], text: Callable[[Deployment], str]) -> str:
    if len(deployments) == 1:
        return text(deployments[0])
    return "; ".join(f"{clean(d.name)}: {text(d)}" for d in deployments)


def _replicas(deployment: Deployment) -> str:
    return f"{deployment.replicas_peak:,} × {counted(deployment.accelerators_per_replica, 'accelerator')}"


def _used(deployment: Deployment) -> str:
    ratio = deployment.utilization_peak_ratio
    return "over capacity" if ratio is None else f"{share(ratio)} of capacity"


def _bill_rows(recommendation: Recommendation, refs: References) -> Iterator[Row]:
    """Yield the rows of numbers of which less is better."""
    baseline, plan = recommendation.baseline, recommendation.plan
    after: list[Bill] = [plan] if plan else []
    deployments = (*baseline.services, *(plan.services if plan else ()))
    prices = refs.prices(*deployments)
    grids = tuple(
        dict.fromkeys(number for bill in (baseline, *after) for number in refs.grid(bill.carbon_source))
    )
    most_kwh = max(bill.energy_kwh_per_month for bill in (baseline, *after))
    most_kg = max(bill.carbon_kg_per_month for bill in (baseline, *after))
    factor, unit = readable_unit(baseline.unit, [bill.unit_cost_usd for bill in (baseline, *after)])
    lines: tuple[tuple[str, Callable[[Bill], float], Callable[[float], str], tuple[int, ...]], ...] = (
        ("Cost a month", lambda bill: bill.cost_usd_per_month, format_usd, prices),
        (f"Cost per {unit}", lambda bill: bill.unit_cost_usd * factor, format_usd, prices),
        (
            "Energy a month",
            lambda bill: bill.energy_kwh_per_month,
            partial(energy, beside_kwh=most_kwh),
            grids,
        ),
        ("Carbon a month", lambda bill: bill.carbon_kg_per_month, partial(carbon, beside_kg=most_kg), grids),
    )
    for what, number, text, sources in lines:
        today = number(baseline)
        if not after:
            yield Row(what, text(today), NOT_KNOWN, refs=sources)
            continue
        then = number(after[0])
        yield Row(what, text(today), text(then), change(today, then), _tone(today, then), sources)


def _tone(today: float, after: float) -> str:
    if abs(after - today) <= 5e-5 * abs(today):
        return "plain"
    return "good" if after < today else "warn"


def _latency_rows(
    deployment: Deployment, refs: References, *, named: bool, today_only: bool = False
) -> Iterator[Row]:
    speed = refs.speed(deployment)
    for check in deployment.latencies:
        if check.limit_s is None:
            continue
        name = latency_name(check.metric) + (f", {clean(deployment.name)}" if named else "")
        what = f"{name} (limit {duration(check.limit_s)})"
        if today_only:
            yield Row(what, overloaded(check.predicted_s), NOT_KNOWN, refs=speed)
            continue
        known = check.today_s is not None and check.predicted_s is not None
        moved = change(check.today_s or 0.0, check.predicted_s or 0.0) if known else ""
        yield Row(
            what, overloaded(check.today_s), overloaded(check.predicted_s), moved, _kept_tone(check), speed
        )


def _kept_tone(check: LatencyCheck) -> str:
    kept = check.predicted_s is not None and (
        check.limit_s is None or check.predicted_s <= check.limit_s * (1.0 + 1e-9)
    )
    return "plain" if kept else "warn"


def overloaded(seconds: float | None) -> str:
    """Return a latency, or that the replicas cannot carry the load."""
    return "overloaded" if seconds is None else duration(seconds)
