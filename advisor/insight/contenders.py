"""The plans that a robust choice is made among: the recommended one and the next best, each sized with more or less room."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from advisor.conflict import meets_totals
from advisor.insight.draws import TRAFFIC_P90_RATIO
from advisor.insight.space import admissible
from advisor.plans import Plans, joined, plans_at, undominated
from advisor.variation import with_traffic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from advisor.evaluation import Evaluation
    from advisor.insight.space import Space
    from advisor.terms import Terms

FOLLOWS = ("reactive", "scale-to-zero")
"""Policies by which replicas follow traffic that was not foreseen."""
EACH = 4
"""Plans that differ in machine or treatment, taken at each level of confidence."""


@dataclass(frozen=True, slots=True)
class Contenders:
    """Plans with the capacity that their number of machines was chosen for; the recommended one first.

    Args:
        plans: One entry for each.
        sized_for: Confidence of the sizing; `None` for the prediction itself.
        headroom_ratio: Traffic above what was stated that the machines were counted for.
        believed_requests_per_s: Capacity of a replica by level, shape (plans, levels).
        safe: Position of the cheapest whose accuracy is certain; `None` where there is none.
    """

    plans: Plans
    sized_for: tuple[float | None, ...]
    headroom_ratio: tuple[float, ...]
    believed_requests_per_s: NDArray[np.float64]
    safe: int | None


def contenders(space: Space, *, confidence: float) -> Contenders:
    """Return the recommended plan, then the cheapest of other kinds, as predicted and with room for errors.

    The room is for latencies at the confidence, and at its square root, with which two independent limits hold together.
    """
    levels: list[float | None] = [space.terms.confidence]
    levels += [
        level for level in (confidence, confidence**0.5) if level > max(space.terms.confidence or 0.5, 0.5)
    ]
    parts, sizes = [space.plans.take(np.array([space.chosen]))], [(levels[0], 0.0)]
    for level, headroom in product(levels, (0.0, TRAFFIC_P90_RATIO - 1.0)):
        found = _sized(space, level, headroom)
        parts.append(found)
        sizes += [(level, headroom)] * len(found)
    fallback = space.best(certain(space.evaluation, space.terms)[space.plans.engine])
    if fallback is not None:
        parts.append(space.plans.take(np.array([fallback])))
        sizes.append((levels[0], 0.0))
    plans = joined(parts)
    first = _distinct(plans)
    safe = None if fallback is None else first.index(_first_like(plans, len(plans) - 1))
    plans, sizes = plans.take(np.array(first)), [sizes[at] for at in first]
    believed = [
        _capacity(space, int(engine), level) for engine, (level, _) in zip(plans.engine, sizes, strict=True)
    ]
    sized, headrooms = zip(*sizes, strict=True)
    return Contenders(plans, tuple(sized), tuple(headrooms), np.stack(believed), safe)


def _sized(space: Space, level: float | None, headroom: float) -> Plans:
    """Return the cheapest plans of different kinds with some room, and the recommended options with it.

    Room for traffic is asked only of policies that do not follow traffic by themselves.
    """
    evaluation = space.evaluation if headroom == 0.0 else with_traffic(space.evaluation, 1.0 + headroom)
    terms = replace(space.terms, confidence=level)
    plans = _within(evaluation, terms, admissible(evaluation, terms))
    mine = np.arange(len(evaluation.engines)) == space.plans.engine[space.chosen]
    same = _within(evaluation, terms, mine)
    same = same.take(same.policy == space.plans.policy[space.chosen])
    if headroom:
        plans, same = (some.take(~follows_traffic(evaluation, some)) for some in (plans, same))
    return joined([plans.take(cheapest_kinds(space, plans)[:EACH]), same])


def follows_traffic(evaluation: Evaluation, plans: Plans) -> NDArray[np.bool_]:
    """Return which plans scale with traffic that was not foreseen."""
    table = [[policy.scaling in FOLLOWS for policy in policies] for policies in evaluation.policies]
    block = evaluation.engines.block[plans.engine]
    pairs = zip(block.tolist(), plans.policy.tolist(), strict=True)
    return np.array([table[at][policy] for at, policy in pairs], dtype=bool)


def _within(evaluation: Evaluation, terms: Terms, keep: NDArray[np.bool_]) -> Plans:
    capacity = evaluation.capacity_requests_per_s(terms.latency_limits, keep, confidence=terms.confidence)
    plans = plans_at(evaluation, terms, capacity, undominated(evaluation, capacity))
    return plans.take(meets_totals(evaluation, plans, terms))


def cheapest_kinds(space: Space, plans: Plans) -> NDArray[np.int64]:
    """Return the cheapest plan of each pair of machine and treatment, the cheapest first."""
    engines = space.evaluation.engines
    kind = engines.block[plans.engine] * len(engines.treatments) + engines.treatment[plans.engine]
    order = np.lexsort((plans.carbon_kg_per_month, plans.loss_ratio, plans.cost_usd_per_month))
    _, first = np.unique(kind[order], return_index=True)
    return np.asarray(order[np.sort(first)], dtype=np.int64)


def certain(evaluation: Evaluation, terms: Terms) -> NDArray[np.bool_]:
    """Return which engines keep every accuracy limit with certainty, as far as is known."""
    keep = np.ones(len(evaluation.engines), dtype=bool)
    for task, limit in terms.loss_ratio.items():
        losses = evaluation.losses if task is None else evaluation.slice_losses(task)
        sure = [loss is not None and loss.probability_at_most(limit) == 1.0 for loss in losses]
        keep &= np.array(sure)[evaluation.engines.treatment]
    return keep


def _distinct(plans: Plans) -> list[int]:
    return sorted({_first_like(plans, at) for at in range(len(plans))})


def _first_like(plans: Plans, at: int) -> int:
    """Return the first plan with the engine, the policy and the replicas of another."""
    same = (plans.engine == plans.engine[at]) & (plans.policy == plans.policy[at])
    return int(np.flatnonzero(same & (plans.replicas == plans.replicas[at]).all(axis=1))[0])


def _capacity(space: Space, engine: int, level: float | None) -> NDArray[np.float64]:
    keep = np.arange(len(space.evaluation.engines)) == engine
    limits = space.terms.latency_limits
    found = space.evaluation.capacity_requests_per_s(limits, keep, confidence=level)[engine]
    return np.asarray(found, dtype=np.float64)
