"""The first screen: the decision in a sentence, four figures, and what to do on Monday."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from advisor.recommendation import (
    AccuracyLoss,
    Baseline,
    Choice,
    LatencyCheck,
    Plan,
    Recommendation,
    Repair,
    RobustChoice,
)
from advisor.report import switching
from advisor.report.references import References
from advisor.report.words import (
    better,
    capital,
    carbon,
    change,
    clean,
    counted,
    duration,
    gap,
    latency_name,
    listed,
    machines,
    monthly,
    months,
    readable_unit,
    requirement_name,
    share,
    uncapital,
)
from advisor.units import format_probability, format_usd

MONTHS_PER_YEAR = 12
MONDAY = 3
_SAME = 5e-5
_LIKELY = 0.8
_PER_MONTH = "/month"


@dataclass(frozen=True, slots=True)
class Figure:
    """One of the few figures that a manager reads."""

    label: str
    value: str
    detail: str
    tone: str = "plain"
    """`good`, `plain` or `warn`."""
    per: str = ""
    """What the value is per, such as `/month`."""
    refs: tuple[int, ...] = ()


def changed(plan: Plan) -> tuple[Choice, ...]:
    """Return every choice that somebody has to make true, in the order of the services."""
    return tuple(choice for service in plan.services for choice in service.choices if choice.to_do)


def headline(recommendation: Recommendation) -> tuple[str, str]:
    """Return the decision in one sentence, and the changes that complete it (perhaps empty)."""
    plan = recommendation.plan
    if plan is None:
        return _no_plan(recommendation), ""
    switch = recommendation.switch
    changes = (
        [choice.title for choice in changed(plan)] if switch is None else list(switching.changes(switch))
    )
    how = f"{counted(len(changes), 'change')}: {' · '.join(map(uncapital, changes))}." if changes else ""
    if len(plan.services) > 1 and changes:
        whole = {service.part_of or service.name for service in plan.services}
        to = "in all" if len(whole) == 1 else f"to {counted(len(whole), 'service')}"
        how = f"{counted(len(changes), 'change')} {to}"
        divided = next((service.choices[0].title for service in plan.services if service.part_of), "")
        how = f"{clean(divided)}. {how}." if len(whole) == 1 and divided else f"{how}."
    workload, cost = clean(recommendation.workload), monthly(plan.cost_usd_per_month)
    if switch is not None and switch.action == "keep":
        return f"Keep the plan in service for {workload}: nothing pays a change.", ""
    if keeps_today(recommendation):
        return (
            f"Keep today's deployment of {workload}: nothing {better(recommendation.objective)} meets the requirements.",
            "",
        )
    return f"Serve {workload} on {places(plan)} for {cost} {_against_today(recommendation)}.", how


def keeps_today(recommendation: Recommendation) -> bool:
    """Return whether the plan is what is there already."""
    plan, baseline = recommendation.plan, recommendation.baseline
    return (
        plan is not None
        and not changed(plan)
        and all(
            (service.instance_type, service.instances_peak)
            == (baseline.before(service).instance_type, baseline.before(service).instances_peak)
            for service in plan.services
        )
    )


def places(plan: Plan) -> str:
    """Return on what the services run."""
    parts = []
    for service in plan.services:
        steady = len(set(service.instances_by_period)) < 2
        parts.append(f"{'' if steady else 'up to '}{machines(service.instances_peak, service.instance_type)}")
    return listed(parts)


def _against_today(recommendation: Recommendation) -> str:
    today = monthly(recommendation.baseline.cost_usd_per_month)
    ratio = recommendation.savings_ratio or 0.0
    if ratio > _SAME:
        return f"instead of {today}: {share(ratio)} less"
    if ratio < -_SAME:
        reason = "" if recommendation.baseline.keeps_limits else ", but today's deployment breaks the limits"
        return f"instead of {today}: {share(-ratio)} more{reason}"
    return "as today"


def _no_plan(recommendation: Recommendation) -> str:
    if recommendation.status == "infeasible":
        needed = recommendation.conflict.requirements if recommendation.conflict else ()
        if not needed:
            return f"No plan serves {clean(recommendation.workload)} within its requirements."
        parts = [uncapital(text) for text in needed]
        if len(parts) == 1:
            return f"No plan for {clean(recommendation.workload)} keeps {parts[0]}."
        return (
            f"No plan for {clean(recommendation.workload)} keeps {listed(parts, most=len(parts))} together."
        )
    return f"No answer yet for {clean(recommendation.workload)}: the solver stopped before it found a plan."


def lead(recommendation: Recommendation) -> str:
    """Return how good the decision is, in a sentence or two."""
    plan = recommendation.plan
    considered = counted(recommendation.candidates_considered, "candidate")
    if plan is None:
        if recommendation.conflict is None:
            return "Give the solver more time, or fewer machines and strategies to consider."
        relax = (
            "Relax any one of them and the others can be kept. "
            if len(recommendation.conflict.requirements) > 1
            else ""
        )
        below = (
            "The nearest values that work are below, each solved again to be sure."
            if recommendation.conflict.repairs
            else ""
        )
        return f"{relax}{below}".strip() or f"{considered} were considered."
    if recommendation.status == "optimal" and recommendation.switch is not None:
        return (
            f"Proven: of {considered}, none is {better(recommendation.objective)} once the change is paid and what "
            "may go wrong is counted."
        )
    if recommendation.robust:
        return _robust_lead(recommendation.robust)
    if recommendation.status == "optimal":
        return f"Proven: of {considered}, none that meets every requirement is {better(recommendation.objective)}."
    away = recommendation.solver.gap_ratio
    room = f" A better one can be at most {gap(away)} better." if away is not None else ""
    return f"The best plan found before the solver was stopped, among {considered}.{room}"


def _robust_lead(robust: RobustChoice) -> str:
    cheapest = (
        f"the cheapest plan as predicted, {monthly(robust.cheapest_usd_per_month)}, keeps them with "
        f"{format_probability(robust.cheapest_all_limits_probability)}"
    )
    return (
        f"Robust: of {counted(robust.considered, 'plan')} sized with more or less room and tried in {robust.draws:,} draws of "
        f"accuracy, speed, traffic and prices. It keeps all limits together with a probability of "
        f"{format_probability(robust.all_limits_probability)}; {cheapest}."
    )


def figures(recommendation: Recommendation, refs: References) -> tuple[Figure, ...]:
    """Return saving, accuracy, latency and payback; for want of a plan, today's bill and the cheapest way out."""
    plan, baseline = recommendation.plan, recommendation.baseline
    if plan is None:
        repairs = recommendation.conflict.repairs[:1] if recommendation.conflict else ()
        today = replace(_today(baseline), refs=refs.prices(*baseline.services))
        return (today, *(_way_out(repair) for repair in repairs))
    loss = recommendation.accuracy_loss
    return (
        replace(_saving(recommendation, plan), refs=refs.prices(*plan.services)),
        *(
            (replace(_carbon(plan, baseline), refs=refs.grid(plan.carbon_source)),)
            if recommendation.objective == "carbon"
            else ()
        ),
        *((replace(_accuracy(loss), refs=refs.measurements(loss.evidence)),) if loss else ()),
        replace(_latency([c for s in plan.services for c in s.latencies]), refs=refs.speed(*plan.services)),
        _payback(plan),
    )


def _today(baseline: Baseline) -> Figure:
    kept = "keeps these limits" if baseline.keeps_limits else "breaks the limits at the busiest hour"
    machine = listed([machines(one.instances_peak, one.instance_type) for one in baseline.services])
    return Figure(
        "Today",
        format_usd(baseline.cost_usd_per_month),
        f"{machine}; predicted that it {kept}",
        per=_PER_MONTH,
    )


def _way_out(repair: Repair) -> Figure:
    text = f"{requirement_name(repair.requirement)} {clean(repair.nearest)} instead of {clean(repair.given)}, on {clean(repair.instance_type)}"
    return Figure("Cheapest way out", format_usd(repair.cost_usd_per_month), text, "good", _PER_MONTH)


def _saving(recommendation: Recommendation, plan: Plan) -> Figure:
    saved = recommendation.savings_usd_per_month or 0.0
    ratio = recommendation.savings_ratio or 0.0
    yearly = f"{format_usd(abs(saved) * MONTHS_PER_YEAR)} a year, {share(abs(ratio))} of today's bill"
    factor, name = readable_unit(plan.unit, (recommendation.baseline.unit_cost_usd, plan.unit_cost_usd))
    unit = f"{format_usd(plan.unit_cost_usd * factor)} per {name}"
    if ratio > _SAME:
        return Figure("Saves", format_usd(saved), f"{yearly}; now {unit}", "good", _PER_MONTH)
    if ratio < -_SAME:
        return Figure("Costs more", format_usd(-saved), f"{yearly}; now {unit}", "warn", _PER_MONTH)
    return Figure("Saves", "$0", f"{monthly(plan.cost_usd_per_month)} as today, {unit}", per=_PER_MONTH)


def _carbon(plan: Plan, baseline: Baseline) -> Figure:
    before, after = baseline.carbon_kg_per_month, plan.carbon_kg_per_month
    text = f"instead of {carbon(before, beside_kg=after)}: {change(before, after)}"
    return Figure(
        "Carbon", carbon(after, beside_kg=before), text, "good" if after < before else "plain", _PER_MONTH
    )


def _accuracy(loss: AccuracyLoss) -> Figure:
    if loss.basis == "lossless" or loss.p90_ratio <= 0.0:
        return Figure("Accuracy", "No loss", "no change alters what the model answers", "good")
    value = f"{share(loss.expected_ratio)} loss"
    if loss.limit_ratio is None or loss.probability_kept is None:
        return Figure(
            "Accuracy",
            value,
            f"expected; 1 in 10 outcomes is above {share(loss.p90_ratio)}; no limit was given",
        )
    promise = (
        f"expected; {format_probability(loss.probability_kept)} sure to stay within {share(loss.limit_ratio)}"
    )
    return Figure("Accuracy", value, promise, "good" if loss.probability_kept >= _LIKELY else "warn")


def _latency(checks: list[LatencyCheck]) -> Figure:
    limited = [check for check in checks if check.limit_s]
    if not limited:
        shown = next((check for check in checks if check.predicted_s is not None), None)
        detail = (
            f"{latency_name(shown.metric)}: {duration(shown.predicted_s)}"
            if shown
            else "no latency is predicted"
        )
        return Figure("Latency", "No limit given", detail)
    tightest = max(limited, key=_used)
    kept = all(_used(check) <= 1.0 + 1e-9 for check in limited)
    value = (f"{len(limited)} limits kept" if len(limited) > 1 else "Limit kept") if kept else "Limit broken"
    text = (
        f"{latency_name(tightest.metric)}: {duration(tightest.predicted_s)} of {duration(tightest.limit_s)}"
    )
    risky = tightest.p90_s is not None and tightest.limit_s is not None and tightest.p90_s > tightest.limit_s
    text += f"; 1 in 10 outcomes is above {duration(tightest.p90_s)}" if risky else ""
    return Figure("Latency", value, text, "good" if kept and not risky else "warn")


def _used(check: LatencyCheck) -> float:
    if check.predicted_s is None or not check.limit_s:
        return float("inf")
    return check.predicted_s / check.limit_s


def _payback(plan: Plan) -> Figure:
    if not plan.one_time_usd:
        return Figure("Payback", "At once", "no one-time cost", "good")
    once = f"{format_usd(plan.one_time_usd)} of one-time work"
    if plan.payback_months is None:
        return Figure("Payback", "Never", f"{once}, and nothing is saved", "warn")
    return Figure("Payback", months(plan.payback_months), once)


def monday(recommendation: Recommendation) -> tuple[str, ...]:
    """Return at most three things to do first: a step of each change, or of the nearest repair."""
    plan = recommendation.plan
    if plan is None:
        repairs = recommendation.conflict.repairs if recommendation.conflict else ()
        return tuple(
            f"Accept {uncapital(requirement_name(r.requirement))} of {clean(r.nearest)} instead of {clean(r.given)}: "
            f"{monthly(r.cost_usd_per_month)} on {clean(r.instance_type)}."
            for r in repairs[:MONDAY]
        )
    switch = recommendation.switch
    kept = (
        switch.action == "keep" and not any(one.differences for one in switch.services) if switch else False
    )
    if kept or keeps_today(recommendation):
        return ("Change nothing; ask again when traffic, prices or limits change.",)
    return tuple(_first_steps(recommendation, plan))[:MONDAY]


def _first_steps(recommendation: Recommendation, plan: Plan) -> Iterator[str]:
    """Yield a new machine, then the first step of each change, then the second ones, and so on."""
    for service in plan.services:
        if service.instance_type != recommendation.baseline.before(service).instance_type:
            yield f"Make sure that {machines(service.instances_peak, service.instance_type)} are within your quota at {clean(service.provider)} in {clean(service.region)}."
    yield from switching.taken_back(recommendation)
    named = len(plan.services) > 1
    steps = [
        (
            f"{clean(service.name)}: " if named else "",
            choice.steps or (f"{capital(choice.strategy)}: {choice.title}.",),
        )
        for service in plan.services
        for choice in service.choices
        if choice.to_do
    ]
    for depth in range(max((len(lines) for _, lines in steps), default=0)):
        yield from (f"{name}{clean(lines[depth])}" for name, lines in steps if depth < len(lines))
