"""What a plan comes close to, and what a reader must know before acting on it."""

from __future__ import annotations

from advisor.recommendation import Baseline, Binding, Plan, ServicePlan
from advisor.terms import Terms
from advisor.units import format_ratio, format_seconds, format_usd


def binding(plan: Plan, terms: Terms) -> tuple[Binding, ...]:
    """Return the stated limits, the most nearly exhausted first.

    Args:
        plan: Of one service or of a fleet.
        terms: Totals over all services.
    """
    found = [row for service in plan.services for row in _service_rows(service, named=len(plan.services) > 1)]
    found += _total_rows(plan, terms)
    ordered = sorted(found, key=lambda row: (-row.used_ratio, row.requirement))
    return tuple(ordered)


def _service_rows(service: ServicePlan, *, named: bool) -> list[Binding]:
    suffix = f", {service.name}" if named else ""
    rows = [
        Binding(
            requirement=f"{check.metric}{suffix}",
            limit=format_seconds(check.limit_s),
            reached=format_seconds(check.predicted_s),
            used_ratio=check.predicted_s / check.limit_s,
        )
        for check in service.latencies
        if check.limit_s and check.predicted_s is not None
    ]
    whole = service.accuracy_loss
    losses = (
        ("accuracy loss", whole),
        *((f"accuracy loss on {task}", loss) for task, loss in whole.slices.items()),
    )
    return rows + [
        Binding(
            requirement=f"{name}{suffix}",
            limit=format_ratio(loss.limit_ratio),
            reached=format_ratio(loss.expected_ratio),
            used_ratio=loss.expected_ratio / loss.limit_ratio,
        )
        for name, loss in losses
        if loss.limit_ratio
    ]


def _total_rows(plan: Plan, terms: Terms) -> list[Binding]:
    totals = {
        "cost": ("cost budget", plan.cost_usd_per_month, format_usd),
        "one-time": ("one-time budget", plan.one_time_usd, format_usd),
        "carbon": ("carbon", plan.carbon_kg_per_month, lambda kg: f"{kg:,.0f} kg/month"),
    }
    rows = []
    for key, bound in terms.totals.items():
        name, reached, text = totals[key]
        if bound:
            rows.append(
                Binding(
                    requirement=name, limit=text(bound), reached=text(reached), used_ratio=reached / bound
                )
            )
    return rows


def warnings(plan: Plan, baseline: Baseline, *, in_service: bool = False) -> tuple[str, ...]:
    """Return what a reader must know before acting.

    Args:
        plan: What is recommended.
        baseline: What serves today.
        in_service: Whether that is a plan made earlier, which may well be kept.
    """
    found = [
        text for service in plan.services for text in _service_warnings(service, named=len(plan.services) > 1)
    ]
    if not baseline.keeps_limits:
        found.insert(
            0,
            "Today's deployment is predicted to break the limits at the busiest hour, so the saving compares unlike services.",
        )
    if not in_service and plan.cost_usd_per_month >= baseline.cost_usd_per_month:
        found.append("No plan within the limits is cheaper than today's.")
    return tuple(found)


def _service_warnings(service: ServicePlan, *, named: bool) -> list[str]:
    prefix = f"{service.name}: " if named else ""
    found = []
    if not service.calibrated:
        found.append(
            "This runtime, chip and number format were not measured together: the speed is extrapolated. Measure before you buy."
        )
    if service.accuracy_loss.unknown_pairs:
        pairs = "; ".join(" with ".join(pair) for pair in service.accuracy_loss.unknown_pairs)
        found.append(f"Nothing is published about combining {pairs}: the loss is widened.")
    if min(service.instances_by_period) == 1:
        when = "Everything" if max(service.instances_by_period) == 1 else "At quiet hours everything"
        found.append(
            f"{when} runs on one machine: if it fails, the service is down until another one has started."
        )
    return [f"{prefix}{text}" for text in found]
