"""Today and the plan, line by line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from advisor.recommendation import Bill, Deployment, LatencyCheck, Recommendation
from advisor.report.references import References
from advisor.report.rows import Group, Row
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


def comparison(recommendation: Recommendation, refs: References) -> tuple[Group, ...]:
    """Return today and the plan, side by side; today alone where there is no plan.

    The bill stands with the machines where there is one service; several have a group of lines each.
    """
    baseline, plan = recommendation.baseline, recommendation.plan
    bill = tuple(_bill_rows(recommendation, refs))
    served = {one.name: one for one in plan.services} if plan else {}
    divided = {one.part_of for one in served.values()}
    left = {one.name: one for one in baseline.services if one.name not in divided}
    names = dict.fromkeys((*left, *served))
    pairs = [(left.get(name) or baseline.before(served[name]), served.get(name)) for name in names]
    if len(pairs) == 1:
        machine, rest = _service_rows(*pairs[0], refs)
        return (Group("", (*machine, *bill, *rest)),)
    named = [(clean(name), *_service_rows(*pair, refs)) for name, pair in zip(names, pairs, strict=True)]
    return (Group("", bill), *(Group(name, (*machine, *rest)) for name, machine, rest in named))


def _service_rows(
    today: Deployment, after: Deployment | None, refs: References
) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """Return the machines of a service, and how they do."""
    texts: tuple[tuple[str, Callable[[Deployment], str]], ...] = (
        ("Machines, busiest hour", lambda d: machines(d.instances_peak, d.instance_type)),
        ("Each machine", lambda d: crossed(d.accelerator)),
        ("Replicas, busiest hour", _replicas),
        ("Scaling, purchase", lambda d: f"{clean(d.scaling)}, {clean(d.purchase)}"),
    )
    rows = tuple(_text_row(what, today, after, text) for what, text in texts)
    latencies = _latency_rows(after or today, refs, today_only=after is None)
    return rows, (*latencies, _text_row("Load, busiest hour", today, after, _used))


def _text_row(
    what: str, today: Deployment, after: Deployment | None, text: Callable[[Deployment], str]
) -> Row:
    return Row(what, text(today), text(after) if after else NOT_KNOWN)


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


def _latency_rows(deployment: Deployment, refs: References, *, today_only: bool) -> Iterator[Row]:
    speed = refs.speed(deployment)
    for check in deployment.latencies:
        if check.limit_s is None:
            continue
        what = f"{latency_name(check.metric)} (limit {duration(check.limit_s)})"
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
