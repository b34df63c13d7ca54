"""The bill of a candidate, and what one unit of its work costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from advisor import cost
from advisor.formulation import machine_of
from advisor.plans import Plans
from advisor.recommendation import (
    Bill,
)

if TYPE_CHECKING:
    from advisor.evaluation import Evaluation


def bill_of(evaluation: Evaluation, plans: Plans, position: int) -> Bill:
    """Return the bill of a candidate."""
    machine = machine_of(evaluation, plans, position)
    grid = evaluation.catalog.carbon(machine.provider, machine.region)
    total = float(plans.cost_usd_per_month[position])
    one_time = float(plans.one_time_usd[position])
    amortised = float(
        cost.amortised_usd_per_month(np.array(one_time), horizon_months=evaluation.workload.horizon_months)
    )
    following = float(plans.following_usd_per_month[position])
    amount, unit = units_per_month(evaluation)
    fields = {
        "cost_usd_per_month": total,
        "machines_usd_per_month": float(plans.machine_usd_per_month[position]) + following,
        "fees_usd_per_month": round(float(plans.own_usd_per_month[position]) - amortised - following, 9)
        + 0.0,
        "amortised_usd_per_month": amortised,
        "one_time_usd": one_time,
        "unit_cost_usd": total / amount if amount else 0.0,
        "unit": unit,
        "energy_kwh_per_month": float(plans.energy_kwh_per_month[position]),
        "carbon_kg_per_month": float(plans.carbon_kg_per_month[position]),
        "carbon_g_per_kwh": grid.g_co2e_per_kwh,
        "carbon_source": f"{grid.source}, {grid.date}: {grid.method}",
    }
    return Bill.model_validate(fields)


def units_per_month(evaluation: Evaluation) -> tuple[float, str]:
    """Return how many units the workload asks for in a month, and the unit: million tokens or thousand inferences."""
    periods, requests = evaluation.periods, evaluation.workload.requests
    count = float(periods.requests_per_s @ periods.hours_per_month) * 3600.0
    if evaluation.workload.model.family == "decoder":
        return count * (requests.input_tokens.mean + requests.output_tokens.mean) / 1e6, "million tokens"
    return count / 1e3, "thousand inferences"
