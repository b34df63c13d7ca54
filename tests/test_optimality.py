"""The recommended plan is the cheapest of all: compared with evaluating every combination by itself."""

from __future__ import annotations

import random
from functools import cache
from itertools import product
from math import inf

import numpy as np
import pytest

from advisor import Recommendation, Requirements, Workload, recommend
from advisor.candidates import compose
from advisor.catalog import Catalog, InstanceType
from advisor.conflict import meets_totals
from advisor.evaluation import Evaluation
from advisor.plans import feasible_plans
from advisor.strategy import LossEstimate, Option
from advisor.terms import resolve
from tests.builders import AStrategy, a_workload, an_option

CATALOG = Catalog.load()
MACHINES = ("g4dn.xlarge", "g6.xlarge", "c5.2xlarge")
RANDOM_CASES = 40


def random_options(rng: random.Random, count: int) -> tuple[Option, ...]:
    def loss() -> LossEstimate | None:
        if rng.random() < 0.5:
            return None
        middle = rng.uniform(0.0, 0.012)
        return LossEstimate(middle, middle / 3, middle * 2, "assumed for a test")

    return tuple(
        an_option(
            f"o{number}",
            throughput_ratio=rng.choice([1.0, rng.uniform(0.7, 3.0)]),
            latency_ratio=rng.choice([1.0, rng.uniform(0.5, 1.5)]),
            compute_ratio=rng.choice([1.0, rng.uniform(0.5, 1.0)]),
            cost_ratio=rng.choice([1.0, rng.uniform(0.8, 1.2)]),
            engineer_hours=rng.choice([0.0, rng.uniform(0.0, 80.0)]),
            running_usd_per_month=rng.choice([0.0, rng.uniform(0.0, 100.0)]),
            loss=loss(),
        )
        for number in range(count)
    )


def random_case(seed: int) -> tuple[Workload, Requirements, list[AStrategy]]:
    rng = random.Random(seed)  # noqa: S311
    hours: object = rng.uniform(10.0, 9000.0)
    if rng.random() < 0.5:
        hours = [rng.uniform(0.0, 9000.0) for _ in range(24)]
    workload = a_workload(traffic={"requests_per_s": hours, "arrival_cv": rng.choice([0.5, 1.0, 2.0])})
    strategies = [
        AStrategy(f"s{number}", random_options(rng, rng.randint(1, 2))) for number in range(rng.randint(1, 2))
    ]
    strategies.append(
        AStrategy(
            "scale",
            (an_option("r", scaling="reactive", engineer_hours=10.0), an_option("y", purchase="reserved-1y")),
        )
    )
    requirements: dict[str, object] = {
        "max_accuracy_loss": rng.choice(["0.1%", "0.5%", "1%", "5%"]),
        "allow_instances": list(rng.sample(MACHINES, rng.randint(1, 3))),
        "latency": {"latency_p99": f"{rng.choice([4, 15, 60, 300])}ms"},
    }
    if rng.random() < 0.3:
        requirements["budget"] = f"${rng.uniform(200.0, 4000.0):.2f}/month"
    if rng.random() < 0.3:
        requirements["quotas"] = {"g4dn.xlarge": rng.randint(0, 6)}
    if rng.random() < 0.2:
        requirements["one_time_budget"] = f"${rng.uniform(0.0, 9000.0):.2f}"
    return workload, Requirements.load(requirements), strategies


def machines(requirements: Requirements) -> tuple[InstanceType, ...]:
    return CATALOG.select(providers=["aws"], regions=["us-east-1"], allow=requirements.allow_instances)


def one_by_one(workload: Workload, requirements: Requirements, strategies: list[AStrategy]) -> float:
    """The least cost over all combinations, each composed and evaluated alone."""
    terms = resolve(workload, requirements)
    best = inf
    for machine in machines(requirements):
        for chosen in product(
            *(["none", *(option.id for option in strategy.given)] for strategy in strategies)
        ):
            single = [
                AStrategy(strategy.name, tuple(o for o in strategy.given if o.id == name))
                for strategy, name in zip(strategies, chosen, strict=True)
            ]
            evaluation = Evaluation(workload, CATALOG, compose(workload, Requirements(), single, [machine]))
            plans = feasible_plans(evaluation, terms)
            mine = meets_totals(evaluation, plans, terms)
            best = min(best, float(plans.cost_usd_per_month[mine].min(initial=np.inf)))
    return best


@cache
def recommended(seed: int) -> Recommendation:
    workload, requirements, strategies = random_case(seed)
    return recommend(workload, requirements, strategies=strategies)


@pytest.mark.parametrize("seed", range(RANDOM_CASES))
def test_the_plan_costs_what_the_best_of_all_combinations_costs(seed: int) -> None:
    workload, requirements, strategies = random_case(seed)
    found = recommended(seed)
    expected = one_by_one(workload, requirements, strategies)
    if found.plan is None:
        assert expected == inf
        assert "infeasible" == found.status
    else:
        assert found.plan.cost_usd_per_month == pytest.approx(expected, rel=1e-9)


def test_the_random_cases_hold_feasible_and_infeasible_ones() -> None:
    statuses = {recommended(seed).status for seed in range(25)}
    assert {"optimal", "infeasible"} <= statuses
