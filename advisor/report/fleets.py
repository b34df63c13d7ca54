"""The chapters that explain a plan for several services, for a terminal and for Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from advisor.report.explained import explained
from advisor.report.explaining import insight_view
from advisor.report.references import References
from advisor.report.sheets import Chapter, Column, Grid
from advisor.report.words import plainly, signed
from advisor.units import format_usd

if TYPE_CHECKING:
    from advisor.insight.outcomes import FleetInsights, ServiceInsights
    from advisor.recommendation import Recommendation

APART = (
    "Each service is explained as if it bought its machines alone, the others as chosen. A limit that services share may "
    "forbid an option that is priced here: what-if solves for all of them together."
)

WAY = (
    "Next is always the least work among the services' next steps; a service keeps its own order. Bills are of services that "
    "buy alone."
)


def fleet_chapters(recommendation: Recommendation, fleet: FleetInsights) -> tuple[Chapter, ...]:
    """Return what each service saves, the way of all, and what explains each service."""
    return (
        Chapter("What saves how much", (_savings(recommendation, fleet), APART)),
        Chapter("The way there, all services", (_way(fleet), WAY)),
        *(_service(recommendation, one) for one in fleet.services),
    )


def _savings(recommendation: Recommendation, fleet: FleetInsights) -> Grid:
    rows = [
        (
            plainly(one.name),
            format_usd(one.insights.attribution.baseline_usd_per_month),
            format_usd(one.insights.attribution.plan_usd_per_month),
            signed(-one.insights.attribution.savings_usd_per_month),
        )
        for one in fleet.services
    ]
    rows.append(("Machines bought together", "", "", signed(-fleet.together_usd_per_month)))
    total = recommendation.plan.cost_usd_per_month if recommendation.plan else 0.0
    saved = recommendation.savings_usd_per_month or 0.0
    today = recommendation.baseline.cost_usd_per_month
    rows.append(("All", format_usd(today), format_usd(total), signed(-saved)))
    columns = (Column("Service"), *(Column(name, right=True) for name in ("Today", "Plan", "Change a month")))
    return Grid(columns, tuple(rows))


def _way(fleet: FleetInsights) -> Grid:
    columns = (
        Column("Service"),
        Column("What"),
        Column("Work", right=True),
        Column("Change", right=True),
        Column("Since today", right=True),
    )
    rows = tuple(
        (
            plainly(step.service),
            plainly(step.title),
            f"{step.engineer_hours:,.0f} h",
            signed(-step.saving_usd_per_month),
            signed(-step.cumulative_saving_usd_per_month),
        )
        for step in fleet.steps
    )
    return Grid(columns, rows)


def _service(recommendation: Recommendation, one: ServiceInsights) -> Chapter:
    plan = recommendation.plan
    assert plan is not None  # noqa: S101 - it is explained
    own = plan.model_copy(update={"services": tuple(s for s in plan.services if s.name == one.name)})
    view = insight_view(
        recommendation.model_copy(update={"plan": own}), one.insights, References(recommendation)
    )
    dearer = one.beyond_cheapest_usd_per_month
    why = "a limit that services share, buying together, or the objective is why"
    said = f"Not its cheapest plan alone, which costs {format_usd(dearer)} a month less: {why}."
    return Chapter(plainly(one.name), (*((said,) if dearer >= 0.01 else ()), *explained(view)))
