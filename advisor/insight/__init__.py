"""Why this plan, what each promise costs, how sure it is, and the way there: all from one evaluation of the candidates.

Budgets and caps hold for the plan, not for what lies on the way to it: the attribution of the saving and the roll-out
look at plans without them.

`insights(...)` answers everything at once; each part has a function of its own in the module of its name.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from advisor.insight.alternatives import near_optimal
from advisor.insight.attribution import attribution
from advisor.insight.briefs import briefs
from advisor.insight.frontier import frontiers, frontiers_of
from advisor.insight.grid import grid
from advisor.insight.promises import promises
from advisor.insight.reasons import reasons
from advisor.insight.results import Insights
from advisor.insight.robustness import robustness
from advisor.insight.rollout import DISCOUNT_RATIO_PER_YEAR, rollout
from advisor.insight.sensitivity import sensitivity
from advisor.insight.space import space_of

if TYPE_CHECKING:
    from advisor.baseline import Today
    from advisor.evaluation import Evaluation
    from advisor.plans import Plans
    from advisor.terms import Terms

__all__ = ["Insights", "insights"]


def insights(
    evaluation: Evaluation,
    terms: Terms,
    plans: Plans,
    position: int,
    before: Today,
    *,
    full: bool = True,
    discount_ratio_per_year: float = DISCOUNT_RATIO_PER_YEAR,
) -> Insights:
    """Return everything there is to say about a recommended plan.

    Args:
        evaluation: Of the candidates; what it is asked again is kept in it.
        terms: The requirements.
        plans: Candidates within the requirements.
        position: The recommended one.
        before: Today's deployment.
        full: Also frontiers, the grid for two limits, promises, sensitivity and robustness, which take some seconds.
        discount_ratio_per_year: What money costs in a year, for the net present value.
    """
    home = before.evaluation.candidates.blocks[0].instance_type.id
    space = space_of(evaluation, terms, plans, position, home=home)
    free = (
        space_of(evaluation, replace(terms, totals={}), plans, position, home=home) if terms.totals else space
    )
    chosen = space.plans.take(np.array([space.chosen]))
    found = Insights(
        plan=briefs(evaluation, chosen, terms)[0],
        reasons=reasons(space),
        attribution=attribution(free, baseline_usd_per_month=float(before.plan.cost_usd_per_month[0])),
        rollout=rollout(free, before, discount_ratio_per_year=discount_ratio_per_year),
        near_optimal=near_optimal(space),
    )
    if not full:
        return found
    solver = frontiers_of(evaluation, terms, chosen)
    return found.model_copy(
        update={
            "frontiers": frontiers(solver),
            "grid": grid(solver),
            "promises": promises(space, solver),
            "sensitivity": sensitivity(space),
            "robustness": robustness(space, before),
        }
    )
