"""Why each service of a fleet is served as it is, and the way there for all: sums agree with the fleet's saving.

A service is explained as if it bought its machines alone, the other services as chosen; what buying together changes is
a line of its own. Limits that services share hold for the plan, not for the other options that a service is compared with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from advisor.insight import insights
from advisor.insight.outcomes import FleetInsights, FleetStep, ServiceInsights

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from advisor.preparation import Prepared
    from advisor.recommendation import Recommendation


def fleet_insights(
    services: Sequence[Prepared], chosen: Mapping[str, int], recommendation: Recommendation
) -> FleetInsights:
    """Return what there is to say about a plan for several services.

    Args:
        services: Every service, all of them served.
        chosen: Position of each one's plan among its candidates.
        recommendation: The plan for all.
    """
    found = tuple(_service(one, chosen[one.name]) for one in services)
    saved = recommendation.savings_usd_per_month or 0.0
    apart = sum(one.insights.attribution.savings_usd_per_month for one in found)
    return FleetInsights(services=found, together_usd_per_month=saved - apart, steps=_steps(found))


def _service(one: Prepared, position: int) -> ServiceInsights:
    said = insights(one.evaluation, one.terms, one.plans, position, one.before, full=False)
    cheapest = float(one.plans.cost_usd_per_month.min())
    return ServiceInsights(
        name=one.name, insights=said, beyond_cheapest_usd_per_month=said.plan.cost_usd_per_month - cheapest
    )


def _steps(services: Sequence[ServiceInsights]) -> tuple[FleetStep, ...]:
    """Return the steps of all services, the one with the least work next; those of a service stay in their order."""
    waiting = {one.name: list(one.insights.rollout.steps) for one in services}
    found: list[FleetStep] = []
    saved = 0.0
    while any(waiting.values()):
        name = min(
            (name for name, steps in waiting.items() if steps),
            key=lambda name: (waiting[name][0].engineer_hours, -waiting[name][0].saving_usd_per_month),
        )
        step = waiting[name].pop(0)
        saved += step.saving_usd_per_month
        found.append(
            FleetStep(
                service=name,
                step=step.number,
                title=step.title,
                engineer_hours=step.engineer_hours,
                saving_usd_per_month=step.saving_usd_per_month,
                cumulative_saving_usd_per_month=saved,
            )
        )
    return tuple(found)
