"""Serving on the whole bill: what the recommendation says of today and of the plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from advisor.billing.results import CostItem, EnergyItem, Figure
from advisor.billing.training import price_basis
from advisor.units import format_usd

if TYPE_CHECKING:
    from advisor.catalog import Catalog
    from advisor.recommendation import Baseline, Bill, Deployment, Recommendation


def serving_items(recommendation: Recommendation) -> list[CostItem]:
    """Return serving as lines of the bill, today and with the plan: machines, fees, and the one-time work of the plan."""
    today, plan = recommendation.baseline, recommendation.plan
    changed = (
        sorted({c.strategy for service in plan.services for c in service.choices if c.changed})
        if plan
        else []
    )
    rows = (
        ("inference", "Inference machines", "machines_usd_per_month"),
        ("fees", "Fees and electricity of serving", "fees_usd_per_month"),
        ("one-time", "One-time work of the plan, spread", "amortised_usd_per_month"),
    )
    items = []
    for key, name, attribute in rows:
        before, after = getattr(today, attribute), getattr(plan, attribute) if plan else None
        if key == "inference" or before or after:
            items.append(
                CostItem.model_validate(
                    {
                        "key": key,
                        "name": name,
                        "today_usd_per_month": before,
                        "after_usd_per_month": after,
                        "one_time_usd": plan.one_time_usd if plan and key == "one-time" else 0.0,
                        "formula": _machine_words(today, plan) if key == "inference" else "",
                        "figures": _machine_prices(today, plan) if key == "inference" else (),
                        "strategies": changed,
                    }
                )
            )
    return items


def _machine_words(today: Baseline, plan: Bill | None) -> str:
    def hours(deployments: Sequence[Deployment]) -> str:
        return " and ".join(
            f"{line.instance_hours_per_month:,.0f} h of {one.instance_type} {line.plan} at {format_usd(line.usd_per_h)}/h"
            for one in deployments
            for line in one.purchases
        )

    services: Sequence[Deployment] = getattr(plan, "services", ())
    return f"today {hours(today.services)}" + (f"; after {hours(services)}" if plan else "")


def _machine_prices(today: Baseline, plan: Bill | None) -> tuple[Figure, ...]:
    deployments: Sequence[Deployment] = (*today.services, *getattr(plan, "services", ()))
    found = (
        Figure(
            what=f"price of {one.instance_type}, {line.plan}",
            value=f"{format_usd(line.usd_per_h)}/h",
            basis=price_basis(line.price_kind),
            source=line.price_source,
            date=line.price_date,
            is_price=True,
        )
        for one in deployments
        for line in one.purchases
    )
    return tuple(dict.fromkeys(found))


def serving_energy(recommendation: Recommendation, catalog: Catalog) -> EnergyItem:
    """Return the electricity of serving, today and with the plan, a month."""
    today, plan = recommendation.baseline, recommendation.plan
    first = today.services[0]
    grid = catalog.carbon(first.provider, first.region)
    there = catalog.carbon(plan.services[0].provider, plan.services[0].region) if plan else grid
    before, after = today.energy_kwh_per_month, plan.energy_kwh_per_month if plan else None
    return EnergyItem(
        name="Serving",
        today_kwh=before / grid.pue,
        today_cooling_kwh=before - before / grid.pue,
        today_carbon_kg=today.carbon_kg_per_month,
        after_kwh=None if after is None else after / there.pue,
        after_cooling_kwh=None if after is None else after - after / there.pue,
        after_carbon_kg=plan.carbon_kg_per_month if plan else None,
        pue=grid.pue,
        carbon_g_per_kwh=today.carbon_g_per_kwh,
        source=f"{today.carbon_source}; PUE: {grid.pue_source}",
    )
