"""Properties of the whole: what a user may rely on whatever the numbers are."""

from __future__ import annotations

import random
from dataclasses import replace
from math import inf

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advisor import Recommendation, Requirements, Workload, recommend
from advisor.catalog import Catalog
from advisor.registry import installed_strategies
from tests.builders import a_workload, an_llm

INSTALLED = installed_strategies()
FEW = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LOSSES = st.sampled_from(["0.1%", "0.3%", "0.5%", "1%", "2%", "5%"])
TOLERANCE_USD = 1e-6


def cost(found: Recommendation) -> float:
    return inf if found.plan is None else found.plan.cost_usd_per_month


def percent(text: str) -> float:
    return float(text.rstrip("%"))


@FEW
@given(one=LOSSES, other=LOSSES)
def test_a_looser_accuracy_limit_never_costs_more(one: str, other: str) -> None:
    tight, loose = sorted((one, other), key=percent)
    workload = a_workload(traffic={"requests_per_s": 5000})
    costs = [cost(recommend(workload, Requirements(max_accuracy_loss=limit))) for limit in (tight, loose)]
    assert costs[1] <= costs[0] + TOLERANCE_USD


@FEW
@given(limit_ms=st.integers(10, 400), longer=st.floats(1.0, 5.0))
def test_a_looser_latency_limit_never_costs_more(limit_ms: int, longer: float) -> None:
    workload = a_workload(traffic={"requests_per_s": 5000})
    limits = [f"{limit_ms}ms", f"{limit_ms * longer:.3f}ms"]
    found = [
        recommend(workload, Requirements(max_accuracy_loss="1%", latency={"latency_p99": limit}))
        for limit in limits
    ]
    assert cost(found[1]) <= cost(found[0]) + TOLERANCE_USD


@FEW
@given(rate=st.floats(1.0, 20000.0), more=st.floats(1.0, 4.0))
def test_more_traffic_never_costs_less(rate: float, more: float) -> None:
    costs = [
        cost(recommend(a_workload(traffic={"requests_per_s": r}), Requirements(max_accuracy_loss="1%")))
        for r in (rate, rate * more)
    ]
    assert costs[0] <= costs[1] + TOLERANCE_USD


@FEW
@given(seed=st.integers(0, 10**6))
def test_more_traffic_in_one_hour_never_costs_less(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311
    hours = [rng.uniform(0.0, 6000.0) + 1.0 for _ in range(24)]
    busier = list(hours)
    busier[rng.randrange(24)] *= 1.7
    costs = [
        cost(recommend(a_workload(traffic={"requests_per_s": r}), Requirements(max_accuracy_loss="1%")))
        for r in (hours, busier)
    ]
    assert costs[0] <= costs[1] + TOLERANCE_USD


@FEW
@given(
    left_out=st.sets(
        st.sampled_from([strategy.name for strategy in INSTALLED if strategy.name != "accelerators"])
    )
)
def test_another_strategy_never_costs_more(left_out: set[str]) -> None:
    workload = a_workload(traffic={"requests_per_s": 5000})
    fewer = [strategy for strategy in INSTALLED if strategy.name not in left_out]
    costs = [
        cost(recommend(workload, Requirements(max_accuracy_loss="1%"), strategies=s))
        for s in (fewer, INSTALLED)
    ]
    assert costs[1] <= costs[0] + TOLERANCE_USD


@FEW
@given(seed=st.integers(0, 10**6))
def test_the_order_of_strategies_is_irrelevant(seed: int) -> None:
    shuffled = list(INSTALLED)
    random.Random(seed).shuffle(shuffled)  # noqa: S311
    requirements = Requirements(max_accuracy_loss="1%")
    one, other = (recommend(a_workload(), requirements, strategies=s) for s in (INSTALLED, shuffled))
    assert one.model_dump_json() == other.model_dump_json()


def _scaled(catalog: Catalog, factor: float) -> Catalog:
    def dearer(price: object) -> object:
        return replace(price, usd_per_h=price.usd_per_h * factor)  # type: ignore[attr-defined, type-var]

    machines = tuple(
        replace(machine, prices={name: dearer(price) for name, price in machine.prices.items()})
        for machine in catalog.instances
    )
    return replace(catalog, instances=machines)


@pytest.mark.parametrize("factor", [0.25, 3.0])
def test_scaling_every_price_scales_the_cost(factor: float) -> None:
    workload = a_workload(traffic={"requests_per_s": 5000})
    dearer = Workload.load({**workload.model_dump(exclude_unset=True), "engineer_usd_per_h": 120.0 * factor})
    requirements = Requirements(max_accuracy_loss="1%")
    plain = recommend(workload, requirements)
    scaled = recommend(dearer, requirements, catalog=_scaled(Catalog.load(), factor))
    assert cost(scaled) == pytest.approx(factor * cost(plain), rel=1e-9)
    assert scaled.baseline.cost_usd_per_month == pytest.approx(factor * plain.baseline.cost_usd_per_month)


def test_a_higher_confidence_never_costs_less() -> None:
    costs = [
        cost(
            recommend(
                an_llm(traffic={"requests_per_s": 40}),
                Requirements(max_accuracy_loss="2%", confidence=confidence),
            )
        )
        for confidence in (0.5, 0.7, 0.9)
    ]
    assert sorted(costs) == costs


def test_a_longer_commitment_never_helps_a_shorter_horizon() -> None:
    workload = a_workload(traffic={"requests_per_s": 5000}, horizon_months=6)
    plan = recommend(workload, Requirements(max_accuracy_loss="1%")).require().plan
    assert plan is not None
    for line in plan.services[0].purchases:
        assert not line.plan.startswith("reserved") or line.usd_per_h < 0.526
    assert "reserved-3y" != plan.services[0].purchase
