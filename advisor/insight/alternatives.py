"""Plans almost as cheap that are really different: another machine, or another treatment of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from advisor.insight.briefs import briefs
from advisor.insight.contenders import cheapest_kinds
from advisor.insight.results import NearOptimal
from advisor.insight.space import MACHINE
from advisor.strategy import NONE

if TYPE_CHECKING:
    from advisor.insight.space import Space

WITHIN = 0.05
MOST = 5


def near_optimal(space: Space, *, within_ratio: float = WITHIN, most: int = MOST) -> tuple[NearOptimal, ...]:
    """Return the cheapest plan of each other pair of machine and treatment, as with no-good cuts, the cheapest first.

    Args:
        space: Of the plans within the limits.
        within_ratio: How much dearer they may be.
        most: How many.
    """
    engines = space.evaluation.engines
    ranked = cheapest_kinds(space, space.plans)
    kind = list(
        zip(
            engines.block[space.plans.engine[ranked]],
            engines.treatment[space.plans.engine[ranked]],
            strict=True,
        )
    )
    chosen = space.plans.engine[space.chosen]
    mine = (engines.block[chosen], engines.treatment[chosen])
    bound = space.chosen_cost * (1.0 + within_ratio)
    found = [
        int(at) for at, key in zip(ranked, kind, strict=True) if key != mine and space.cost[at] <= bound
    ][:most]
    described = briefs(space.evaluation, space.plans.take(np.array(found, dtype=np.int64)), space.terms)
    return tuple(
        NearOptimal(
            differs=_differs(space, at),
            plan=brief,
            extra_usd_per_month=float(space.cost[at]) - space.chosen_cost,
            extra_ratio=float(space.cost[at]) / space.chosen_cost - 1.0 if space.chosen_cost else 0.0,
        )
        for at, brief in zip(found, described, strict=True)
    )


def _differs(space: Space, at: int) -> str:
    """Return the columns that differ from the recommended plan, in words."""
    parts = []
    for name, values in sorted(space.codes.items(), key=lambda item: (item[0] != MACHINE, item[0])):
        if values[at] != space.codes[name][space.chosen]:
            value = str(values[at]).rpartition("/")[2]
            option = "as today" if value == NONE else value
            parts.append(f"on {value}" if name == MACHINE else f"{name.replace('_', ' ')} {option}")
    return ", ".join(parts)
