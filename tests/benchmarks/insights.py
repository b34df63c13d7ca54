"""How long the insights of the built-in language model take beside the recommendation itself.

python -m pytest tests/benchmarks/insights.py --override-ini addopts= -s
"""

from __future__ import annotations

from collections.abc import Callable
from time import process_time
from typing import Any

import numpy as np

from advisor import Requirements, recommend
from advisor.catalog import Catalog
from advisor.insight.attribution import attribution
from advisor.insight.frontier import frontiers, frontiers_of
from advisor.insight.promises import promises
from advisor.insight.reasons import reasons
from advisor.insight.robustness import robustness
from advisor.insight.rollout import rollout
from advisor.insight.sensitivity import sensitivity
from advisor.insight.space import space_of
from advisor.preparation import prepared
from advisor.registry import installed_strategies
from advisor.workload import Workload

SECONDS = 5.0


def _timed(label: str, call: Callable[[], Any]) -> tuple[float, Any]:
    start = process_time()
    found = call()
    spent = process_time() - start
    print(f"{label:<14} {spent:6.2f} s")
    return spent, found


def test_forty_points_and_every_counterfactual_take_five_seconds() -> None:
    requirements = Requirements(max_accuracy_loss="1%")
    one_recommendation, _ = _timed("recommend", lambda: recommend("large-llm", requirements))
    one = prepared(Workload.load("large-llm"), requirements, Catalog.load(), installed_strategies())
    position = int(one.plans.cost_usd_per_month.argmin())
    home = one.before.evaluation.candidates.blocks[0].instance_type.id
    space = space_of(one.evaluation, one.terms, one.plans, position, home=home)
    chosen = one.plans.take(np.array([position]))
    spent = 0.0
    seconds, solver = _timed("bounds", lambda: frontiers_of(one.evaluation, one.terms, chosen))
    spent += seconds
    seconds, curves = _timed("frontiers", lambda: frontiers(solver))
    spent += seconds
    for label, call in (
        ("reasons", lambda: reasons(space)),
        ("attribution", lambda: attribution(space, baseline_usd_per_month=1e5)),
        ("promises", lambda: promises(space, solver)),
        ("sensitivity", lambda: sensitivity(space)),
        ("robustness", lambda: robustness(space, one.before)),
        ("rollout", lambda: rollout(space, one.before)),
    ):
        seconds, _ = _timed(label, call)
        spent += seconds
    print(f"{'together':<14} {spent:6.2f} s, {spent / one_recommendation:.1f} x a recommendation")
    assert sum(len(curve.points) for curve in curves) >= 40
    assert spent < SECONDS
