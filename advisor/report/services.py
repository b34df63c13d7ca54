"""What is recommended for each service: the changes, the promises, and the machines hour by hour."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.recommendation import AccuracyLoss, Choice, Deployment, LatencyCheck, Recommendation, ServicePlan
from advisor.report.charts import hours_chart, latency_chart, loss_chart
from advisor.report.comparison import overloaded
from advisor.report.references import References
from advisor.report.rows import Action, LatencyRow, ServiceView
from advisor.report.words import (
    NOT_KNOWN,
    capital,
    clean,
    counted,
    duration,
    latency_name,
    machines,
    pasted,
    rate,
    share,
)
from advisor.units import format_bytes, format_probability

BASES = {
    "lossless": "no change alters what the model answers",
    "fitted": "fitted to published measurements",
    "assumed": "assumed: nothing suitable is published",
    "measured": "your own measurement",
}
_GIB = 2.0**30


def services(recommendation: Recommendation, refs: References) -> tuple[ServiceView, ...]:
    """Return a view of each service of the plan; none where there is no plan."""
    plan = recommendation.plan
    return tuple(
        _service(number, service, recommendation.baseline.before(service), refs)
        for number, service in enumerate(plan.services if plan else (), 1)
    )


def _service(number: int, service: ServicePlan, today: Deployment, refs: References) -> ServiceView:
    loss = service.accuracy_loss
    return ServiceView(
        number=number,
        name=clean(service.name),
        where=_where(service),
        actions=tuple(_action(choice, refs) for choice in service.choices if choice.to_do),
        kept=tuple(
            (capital(choice.strategy), clean(choice.title)) for choice in service.choices if not choice.to_do
        ),
        loss=loss_chart(loss, id=f"loss-{number}"),
        loss_rows=_loss_rows(loss),
        loss_refs=refs.measurements(loss.evidence),
        loss_notes=_loss_notes(loss),
        slices=_slices(loss),
        latency=latency_chart(service.latencies, id=f"latency-{number}"),
        latency_rows=tuple(_latency_row(check) for check in service.latencies),
        latency_refs=refs.speed(service),
        hours=hours_chart(service.instances_by_period, today.instances_by_period, id=f"hours-{number}"),
        hours_rows=_hours_rows(service.instances_by_period, today.instances_by_period),
    )


def _where(service: ServicePlan) -> str:
    parts = [
        f"{machines(service.instances_peak, service.instance_type)} at {clean(service.provider)} in {clean(service.region)}",
        f"{counted(service.replicas_peak, 'replica')} of {counted(service.accelerators_per_replica, 'accelerator')}",
        f"{format_bytes(service.memory_gib_per_replica * _GIB)} of memory each",
    ]
    if service.capacity_requests_per_s is not None:
        parts.append(f"each carries up to {rate(service.capacity_requests_per_s)} within the limits")
    return f"{'; '.join(parts)}."


def _action(choice: Choice, refs: References) -> Action:
    return Action(
        strategy=capital(choice.strategy),
        title=clean(choice.title),
        steps=tuple(clean(step) for step in choice.steps),
        artefacts=tuple((clean(place), pasted(text)) for place, text in choice.artefacts.items()),
        risk=clean(choice.risk),
        sources=tuple(clean(source) for source in choice.sources),
        refs=refs.measurements(choice.evidence),
    )


def _loss_rows(loss: AccuracyLoss) -> tuple[tuple[str, str], ...]:
    if loss.basis == "lossless" or loss.p90_ratio <= 0.0:
        return (("Expected loss", f"none: {BASES['lossless']}"),)
    rows = [
        ("Expected loss", share(loss.expected_ratio)),
        ("In 8 of 10 outcomes between", f"{share(loss.p10_ratio)} and {share(loss.p90_ratio)}"),
    ]
    if loss.limit_ratio is not None:
        rows.append(("Limit", share(loss.limit_ratio)))
    if loss.probability_kept is not None:
        rows.append(("Probability of staying within it", format_probability(loss.probability_kept)))
    return (*rows, ("Basis", BASES.get(loss.basis, clean(loss.basis))))


def _slices(loss: AccuracyLoss) -> tuple[tuple[str, str, str, str], ...]:
    return tuple(
        (
            capital(name),
            share(one.expected_ratio),
            NOT_KNOWN if one.limit_ratio is None else share(one.limit_ratio),
            NOT_KNOWN if one.probability_kept is None else format_probability(one.probability_kept),
        )
        for name, one in loss.slices.items()
        if name or len(loss.slices) > 1
    )


def _loss_notes(loss: AccuracyLoss) -> tuple[str, ...]:
    pairs = tuple(
        f"Nothing is published about {clean(a)} together with {clean(b)}; the interval is widened."
        for a, b in loss.unknown_pairs
    )
    return (*(clean(note) for note in loss.notes), *pairs)


def _latency_row(check: LatencyCheck) -> LatencyRow:
    known = check.p10_s is not None and check.p90_s is not None
    return LatencyRow(
        what=latency_name(check.metric),
        today=overloaded(check.today_s),
        after=overloaded(check.predicted_s),
        interval=f"{duration(check.p10_s)} to {duration(check.p90_s)}" if known else NOT_KNOWN,
        limit=duration(check.limit_s),
    )


def _hours_rows(after: Sequence[int], today: Sequence[int]) -> tuple[tuple[str, str, str], ...]:
    """Return one row for each stretch of periods with the same machines, so that a week stays readable."""
    before = [f"{count:,}" for count in today] if len(today) == len(after) else [NOT_KNOWN] * len(after)
    rows: list[tuple[int, int]] = []
    for number in range(len(after)):
        if rows and (after[number], before[number]) == (after[number - 1], before[number - 1]):
            rows[-1] = (rows[-1][0], number)
        else:
            rows.append((number, number))
    return tuple(
        (_stretch(first, last, len(after)), before[first], f"{after[first]:,}") for first, last in rows
    )


def _stretch(first: int, last: int, count: int) -> str:
    """Return the name of some periods in a row: hours of a day or of a week where there are so many.

    Example:
        >>> _stretch(0, 5, 24), _stretch(30, 30, 168), _stretch(1, 1, 4)
        ('0:00 to 6:00', 'day 2, 6:00 to day 2, 7:00', 'period 2')
    """
    if count == 24:
        return f"{first}:00 to {last + 1}:00"
    if count == 168:
        return f"{_hour(first)} to {_hour(last + 1)}"
    return f"period {first + 1}" if first == last else f"periods {first + 1} to {last + 1}"


def _hour(hour: int) -> str:
    return f"day {hour // 24 + 1}, {hour % 24}:00"
