"""One evaluation of each example, shared by the tests of its insights: candidates are evaluated once, as in the product."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from advisor.baseline import Today
from advisor.catalog import Catalog
from advisor.conflict import meets_totals
from advisor.evaluation import Evaluation
from advisor.insight import Insights, insights
from advisor.insight.frontier import Frontiers, frontiers_of
from advisor.insight.space import Space, space_of
from advisor.plans import Plans
from advisor.preparation import prepared
from advisor.registry import installed_strategies
from advisor.requirements import Requirements
from advisor.terms import Terms
from advisor.workload import Workload


@dataclass(frozen=True)
class Case:
    """A recommended plan with everything that its insights are made from."""

    evaluation: Evaluation
    terms: Terms
    plans: Plans
    position: int
    before: Today

    @property
    def space(self) -> Space:
        home = self.before.evaluation.candidates.blocks[0].instance_type.id
        return space_of(self.evaluation, self.terms, self.plans, self.position, home=home)

    @property
    def solver(self) -> Frontiers:
        return frontiers_of(self.evaluation, self.terms, self.plans.take(np.array([self.position])))

    @property
    def cost(self) -> float:
        return float(self.plans.cost_usd_per_month[self.position])

    @property
    def baseline(self) -> float:
        return float(self.before.plan.cost_usd_per_month[0])

    def insights(self) -> Insights:
        return insights(self.evaluation, self.terms, self.plans, self.position, self.before)


def a_case(workload: Workload | str, requirements: Requirements | None = None) -> Case:
    """The cheapest plan of a workload; without the integer program, which these tests are not about."""
    requirements = requirements or Requirements(max_accuracy_loss="1%")
    one = prepared(Workload.load(workload), requirements, Catalog.load(), installed_strategies())
    meets = np.flatnonzero(meets_totals(one.evaluation, one.plans, one.terms))
    some = one.plans.take(meets)
    order = np.lexsort((some.carbon_kg_per_month, some.loss_ratio, some.cost_usd_per_month))
    return Case(one.evaluation, one.terms, one.plans, int(meets[order[0]]), one.before)


@cache
def _example(name: str) -> Case:
    return a_case(name)


@cache
def _insights(name: str) -> Insights:
    return _example(name).insights()


@pytest.fixture
def case() -> Callable[[str], Case]:
    """The case of an example, made once."""
    return _example


@pytest.fixture
def found() -> Callable[[str], Insights]:
    """The insights of an example, made once."""
    return _insights


@pytest.fixture
def make() -> Callable[..., Case]:
    """A case of a workload and requirements of one's own."""
    return a_case
