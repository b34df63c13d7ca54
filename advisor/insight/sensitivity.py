"""What one thing turning out differently does to the plan that was chosen, and to the plan that would have been."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from advisor.formulation import policy_of
from advisor.insight.briefs import briefs
from advisor.insight.circumstances import Circumstances, cheapest_of, holds_as_sized, plans_in
from advisor.insight.results import Outcome, SensitivityFactor

if TYPE_CHECKING:
    from advisor.evaluation import Evaluation
    from advisor.insight.space import Space
    from advisor.plans import Plans

FACTORS: tuple[tuple[str, str, tuple[tuple[str, Circumstances], tuple[str, Circumstances]], str], ...] = (
    (
        "traffic",
        "Traffic",
        (("-30 %", Circumstances(traffic_ratio=0.7)), ("+30 %", Circumstances(traffic_ratio=1.3))),
        "assumed range",
    ),
    (
        "prices",
        "Prices of all machines",
        (("-20 %", Circumstances(price_ratio=0.8)), ("+20 %", Circumstances(price_ratio=1.2))),
        "assumed range",
    ),
    (
        "own-price",
        "Price of the recommended machine alone",
        (("-20 %", Circumstances(own_price_ratio=0.8)), ("+20 %", Circumstances(own_price_ratio=1.2))),
        "assumed range",
    ),
    (
        "accuracy",
        "Accuracy lost by every treatment",
        (("-50 %", Circumstances(loss_ratio=0.5)), ("+50 %", Circumstances(loss_ratio=1.5))),
        "assumed range",
    ),
    (
        "calibration",
        "Latencies against prediction",
        (("10 % quantile", Circumstances(slowness=0.1)), ("90 % quantile", Circumstances(slowness=0.9))),
        "errors of the performance model on measurements left out of its fit",
    ),
)


def sensitivity(space: Space) -> tuple[SensitivityFactor, ...]:
    """Return the factors, the one that moves the cost of the best plan most first."""
    found = [_factor(space, *factor) for factor in FACTORS]
    return tuple(sorted(found, key=lambda factor: (-factor.swing_usd_per_month, factor.factor)))


def _factor(
    space: Space,
    name: str,
    title: str,
    ends: tuple[tuple[str, Circumstances], tuple[str, Circumstances]],
    source: str,
) -> SensitivityFactor:
    low, high = (_outcome(space, text, turn) for text, turn in ends)
    moved = [
        abs(end.best_usd_per_month - space.chosen_cost)
        for end in (low, high)
        if end.best_usd_per_month is not None
    ]
    return SensitivityFactor(
        factor=name,
        title=title,
        low=low,
        high=high,
        swing_usd_per_month=max(moved, default=0.0),
        source=source,
    )


def _outcome(space: Space, text: str, turn: Circumstances) -> Outcome:
    kept = cheapest_of(plans_in(space, turn, only=space.chosen))
    best = cheapest_of(plans_in(space, turn))
    if kept is not None and (best is None or _cost(kept) <= _cost(best) * (1.0 + 1e-9)):
        best = kept
    return Outcome(
        text=text,
        kept_usd_per_month=None if kept is None else _cost(kept),
        kept_feasible=kept is not None,
        holds_as_sized=kept is not None and holds_as_sized(space, turn),
        best_usd_per_month=None if best is None else _cost(best),
        best=None if best is None else briefs(space.evaluation, best, space.terms)[0],
        changes_plan=best is not None and not _alike(space, best),
    )


def _alike(space: Space, plan: Plans) -> bool:
    """Return whether a plan has the machine, treatment and policy of the recommended one."""
    mine = space.plans.take(np.array([space.chosen]))
    return kind(space.evaluation, plan) == kind(space.evaluation, mine)


def kind(evaluation: Evaluation, plan: Plans) -> tuple[int, int, str, str]:
    """Return what makes the first of some plans another plan: its machine, treatment, scaling and purchase."""
    engine, policy = int(plan.engine[0]), policy_of(evaluation, plan, 0)
    block, treatment = int(evaluation.engines.block[engine]), int(evaluation.engines.treatment[engine])
    return block, treatment, policy.scaling, policy.purchase


def _cost(plan: Plans) -> float:
    return float(plan.cost_usd_per_month[0])
