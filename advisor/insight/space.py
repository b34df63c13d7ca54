"""Every plan that meets the requirements with its options as columns, so that a what-if is a mask and a minimum."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from advisor.conflict import meets_totals
from advisor.explanation import option_codes
from advisor.formulation import ATTRIBUTES, attribute_values
from advisor.plans import Plans, plans_at
from advisor.strategy import NONE, Option

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

    from advisor.evaluation import Evaluation
    from advisor.terms import Terms

MACHINE = "machine"
MACHINES = "accelerators"
"""The strategy that a change of machine belongs to, as in the requirement `without`."""


@dataclass(frozen=True)
class Space:
    """Every plan within the requirements; none is dropped for being dominated, as a what-if may forbid what beats it.

    Args:
        evaluation: Of the candidates.
        terms: The requirements.
        plans: What meets them.
        chosen: Position of the recommended plan.
        home: Id of today's machine.
    """

    evaluation: Evaluation
    terms: Terms
    plans: Plans
    chosen: int
    home: str

    @cached_property
    def codes(self) -> Mapping[str, NDArray[np.object_]]:
        """Machine and option of each strategy, one entry for each plan."""
        return option_codes(self.evaluation, self.plans)

    @cached_property
    def strategies(self) -> tuple[str, ...]:
        """Strategies, in alphabetical order."""
        return tuple(sorted({MACHINES, *self.codes} - {MACHINE}))

    @cached_property
    def cost(self) -> NDArray[np.float64]:
        """Cost of each plan, in USD per month."""
        return self.plans.cost_usd_per_month

    @cached_property
    def chosen_cost(self) -> float:
        """Cost of the recommended plan, in USD per month."""
        return float(self.cost[self.chosen])

    @cached_property
    def _rank(self) -> NDArray[np.int64]:
        values = attribute_values(self.evaluation, self.plans, self.terms)
        other = np.ones(len(self.plans))
        other[self.chosen] = 0.0
        goals = [values[ATTRIBUTES[name]] for name in self.terms.objective]
        rank = np.empty(len(self.plans), dtype=np.int64)
        rank[np.lexsort((other, *reversed(goals)))] = np.arange(len(self.plans))
        return rank

    def best(self, keep: NDArray[np.bool_]) -> int | None:
        """Return the best plan where a mask is true by the objective of the requirements, or `None`."""
        rows = np.flatnonzero(keep)
        return int(rows[np.argmin(self._rank[rows])]) if len(rows) else None

    def neutral(self, strategy: str) -> NDArray[np.bool_]:
        """Return which plans leave a strategy as today."""
        same = np.ones(len(self.plans), dtype=bool)
        if strategy in self.codes:
            same &= self.codes[strategy] == NONE
        return same & (self.codes[MACHINE] == self.home) if strategy == MACHINES else same

    def only(self, strategies: Collection[str]) -> NDArray[np.bool_]:
        """Return which plans change nothing but some strategies."""
        keep = np.ones(len(self.plans), dtype=bool)
        for strategy in self.strategies:
            if strategy not in strategies:
                keep &= self.neutral(strategy)
        return keep

    @cached_property
    def changed(self) -> tuple[str, ...]:
        """Strategies that the recommended plan changes."""
        return tuple(name for name in self.strategies if not self.neutral(name)[self.chosen])

    def like(self, plan: Plans) -> int:
        """Return where the engine and the policy of a plan stand among these, sized as predicted."""
        same = (self.plans.engine == plan.engine[0]) & (self.plans.policy == plan.policy[0])
        return int(np.flatnonzero(same)[0])

    def like_chosen(self, *, but: Collection[str]) -> NDArray[np.bool_]:
        """Return which plans have the machine and the options of the recommended one, except in some columns."""
        keep = np.ones(len(self.plans), dtype=bool)
        for name, values in self.codes.items():
            if name not in but:
                keep &= values == values[self.chosen]
        return keep


def space_of(evaluation: Evaluation, terms: Terms, recommended: Plans, position: int, *, home: str) -> Space:
    """Return every plan within the requirements, and where the recommended one is among them."""
    plans = every_plan(evaluation, terms)
    same = (plans.engine == recommended.engine[position]) & (plans.policy == recommended.policy[position])
    return Space(evaluation, terms, plans, int(np.flatnonzero(same)[0]), home)


def every_plan(evaluation: Evaluation, terms: Terms) -> Plans:
    """Return every plan within the requirements, dominated ones among them."""
    keep = admissible(evaluation, terms)
    capacity = evaluation.capacity_requests_per_s(terms.latency_limits, keep, confidence=terms.confidence)
    plans = plans_at(evaluation, terms, capacity, np.flatnonzero((capacity > 0.0).any(axis=1)))
    return plans.take(meets_totals(evaluation, plans, terms))


def admissible(evaluation: Evaluation, terms: Terms) -> NDArray[np.bool_]:
    """Return which engines keep the limits of accuracy and memory."""
    keep = evaluation.accepted(terms) & evaluation.serving.replica.fits
    if terms.max_memory_bytes is not None:
        keep &= evaluation.serving.replica.memory_bytes <= terms.max_memory_bytes
    return keep


def offered_options(evaluation: Evaluation) -> dict[str, dict[str, Option]]:
    """Return the options that at least one machine offers, by strategy and id, in the order of the strategies' lists."""
    found: dict[str, dict[str, Option]] = {}
    for block in evaluation.candidates.blocks:
        for axis in (*block.engine_axes, *block.policy_axes):
            options = found.setdefault(axis.strategy, {})
            for option in axis.options:
                options.setdefault(option.id, option)
    return dict(sorted(found.items()))
