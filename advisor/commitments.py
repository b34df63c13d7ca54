"""From when on each commitment pays that the machines of a plan are sold with, whether or not the plan makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from advisor import cost
from advisor.formulation import machine_of
from advisor.recommendation import Commitment

if TYPE_CHECKING:
    from advisor.evaluation import Evaluation
    from advisor.plans import Plans
    from advisor.recommendation import ServicePlan


def commitments(
    evaluation: Evaluation, plans: Plans, position: int, plan: ServicePlan
) -> tuple[Commitment, ...]:
    r"""Return every commitment that the plan's machine is sold with, against buying by the hour.

    With the prices $p_r$ and $p_{od}$ an hour, a machine pays from $730 \, p_r / p_{od}$ hours of use a month on; used
    all the time, on-demand has cost the whole term T after $T p_r / p_{od}$ months.

    Args:
        evaluation: Of the candidates.
        plans: Candidates.
        position: The chosen one.
        plan: The same as it is recommended, with what it buys.
    """
    machine = machine_of(evaluation, plans, position)
    on_demand = machine.prices["on-demand"].usd_per_h
    hours, use = evaluation.periods.hours_per_month, plans.instances[position]
    bought = {line.plan: line.instances_peak for line in plan.purchases}
    found = []
    for name, term in cost.TERM_MONTHS.items():
        if name not in machine.prices:
            continue
        price, count = machine.prices[name], bought.get(name, 0)
        ratio = price.usd_per_h / on_demand
        found.append(
            Commitment(
                service=plan.name,
                instance_type=machine.name,
                plan=name,
                term_months=term,
                usd_per_h=price.usd_per_h,
                on_demand_usd_per_h=on_demand,
                price_kind=price.kind,
                break_even_hours_per_month=cost.HOURS_PER_MONTH * ratio,
                break_even_months=term * ratio,
                within_horizon=term <= evaluation.workload.horizon_months,
                instances=count,
                least_used_hours_per_month=float(hours @ (use >= max(count, 1)).astype(np.float64)),
            )
        )
    return tuple(found)
