"""Two recommendations side by side: what was asked, what it costs, which machines and options, what is promised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from advisor.insight.outcomes import Comparison, Difference

if TYPE_CHECKING:
    from advisor.recommendation import Inputs, Plan, Recommendation, ServicePlan

SAME = 1e-9
"""Relative difference below which two numbers are the same."""
_LISTED = 60
"""Differences in what was asked that are listed at most."""
Unit = Literal["USD/month", "USD", "ratio", "probability", "s", "kg/month", "months", "machines", ""]


def compared(first: Recommendation, second: Recommendation, *, names: tuple[str, str]) -> Comparison:
    """Return what distinguishes two recommendations; both hold a plan.

    Args:
        first: The one that is compared with.
        second: The other one.
        names: What they are called.
    """
    assert first.plan is not None  # noqa: S101 - refused where plans are read
    assert second.plan is not None  # noqa: S101
    change = second.plan.cost_usd_per_month - first.plan.cost_usd_per_month
    same = abs(change) <= SAME * max(1.0, first.plan.cost_usd_per_month)
    asked = tuple(_asked(first.inputs, second.inputs))
    return Comparison(
        first=names[0],
        second=names[1],
        cheaper="neither" if same else "second" if change < 0.0 else "first",
        change_usd_per_month=change,
        same_request=not asked,
        differences=(*asked, *_money(first, second), *_services(first.plan, second.plan)),
    )


def _asked(first: Inputs | None, second: Inputs | None) -> Iterator[Difference]:
    """Yield every key of workloads and requirements whose value differs."""
    left, right = (_by_service(inputs) for inputs in (first, second))
    found = 0
    for service in dict.fromkeys((*left, *right)):
        mine, other = _flat(left.get(service, {})), _flat(right.get(service, {}))
        for key in dict.fromkeys((*mine, *other)):
            if mine.get(key) != other.get(key) and found < _LISTED:
                found += 1
                yield Difference(
                    service=service,
                    group="asked",
                    what=key,
                    first=_text(mine.get(key)),
                    second=_text(other.get(key)),
                    same=False,
                )


def _by_service(inputs: Inputs | None) -> dict[str, dict[str, Any]]:
    if inputs is None:
        return {}
    alone = len(inputs.services) == 1
    found: dict[str, dict[str, Any]] = {"": {"requirements": dict(inputs.requirements)}}
    for one in inputs.services:
        name = "" if alone else str(one.workload.get("name", ""))
        own = {**one.requirements}
        found[name] = {**found.get(name, {}), **one.workload, **({"own requirements": own} if own else {})}
    return found


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Return nested values by dotted key; lists stay whole."""
    if not isinstance(value, Mapping):
        return {prefix: value}
    return {
        key: leaf
        for name, inner in value.items()
        for key, leaf in _flat(inner, f"{prefix}.{name}" if prefix else str(name)).items()
    }


def _text(value: Any) -> str | float | None:
    if value is None or isinstance(value, str):
        return value
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _number(
    what: str,
    first: float | None,
    second: float | None,
    unit: Unit,
    *,
    service: str = "",
    group: Literal["money", "machines", "promises"] = "money",
) -> Difference:
    if first is None or second is None:
        same = first is second
    else:
        same = abs(first - second) <= SAME * max(abs(first), abs(second))
    return Difference(
        service=service, group=group, what=what, first=first, second=second, unit=unit, same=same
    )


def _money(first: Recommendation, second: Recommendation) -> Iterator[Difference]:
    mine, other = first.plan, second.plan
    assert mine is not None  # noqa: S101
    assert other is not None  # noqa: S101
    yield _number("cost", mine.cost_usd_per_month, other.cost_usd_per_month, "USD/month")
    yield _number("saving", first.savings_usd_per_month, second.savings_usd_per_month, "USD/month")
    yield _number("one-time", mine.one_time_usd, other.one_time_usd, "USD")
    yield _number("payback", mine.payback_months, other.payback_months, "months")
    yield _number("carbon", mine.carbon_kg_per_month, other.carbon_kg_per_month, "kg/month", group="promises")


def _services(first: Plan, second: Plan) -> Iterator[Difference]:
    mine, other = ({one.name: one for one in plan.services} for plan in (first, second))
    shared = [name for name in mine if name in other]
    named = len({*mine, *other}) > 1
    for name in dict.fromkeys((*mine, *other)):
        if name in shared:
            yield from _service(mine[name], other[name], name if named else "")
        else:
            yield Difference(
                service=name,
                group="machines",
                what="machine",
                first=_machine(mine.get(name)),
                second=_machine(other.get(name)),
                same=False,
            )


def _machine(plan: ServicePlan | None) -> str | None:
    return None if plan is None else plan.instance_type


def _service(first: ServicePlan, second: ServicePlan, service: str) -> Iterator[Difference]:
    texts = [("machine", first.instance_type, second.instance_type)]
    texts += [
        (name, getattr(first, name), getattr(second, name))
        for name in ("provider", "region", "scaling", "purchase")
    ]
    for what, mine, other in texts:
        yield Difference(
            service=service, group="machines", what=what, first=mine, second=other, same=mine == other
        )
    yield _number(
        "machines at peak",
        first.instances_peak,
        second.instances_peak,
        "machines",
        service=service,
        group="machines",
    )
    left, right = ({one.strategy: one for one in plan.choices} for plan in (first, second))
    for strategy in sorted({*left, *right}):
        first_title, second_title = (
            found[strategy].title if strategy in found else None for found in (left, right)
        )
        yield Difference(
            service=service,
            group="choices",
            what=strategy,
            first=first_title,
            second=second_title,
            same=first_title == second_title,
        )
    yield from _promises(first, second, service)


def _promises(first: ServicePlan, second: ServicePlan, service: str) -> Iterator[Difference]:
    mine, other = first.accuracy_loss, second.accuracy_loss
    yield _number(
        "accuracy loss", mine.expected_ratio, other.expected_ratio, "ratio", service=service, group="promises"
    )
    kept = mine.probability_kept, other.probability_kept
    yield _number("accuracy kept", *kept, unit="probability", service=service, group="promises")
    left, right = ({one.metric: one for one in plan.latencies} for plan in (first, second))
    for metric in left:
        if metric in right:
            before, after = left[metric].predicted_s, right[metric].predicted_s
            yield _number(metric, before, after, "s", service=service, group="promises")
